"""A page's forms as a browser without a script reads them: where they go, and what they would send."""

from __future__ import annotations

from dataclasses import dataclass, field
from html.parser import HTMLParser


@dataclass
class PageForm:
    """One form: its address, what it would send as it stands, and the choices of each select.

    `repeated` holds every value of the names that are sent more than once.
    """

    action: str
    id: str = ""
    fields: dict[str, str] = field(default_factory=dict)
    options: dict[str, list[str]] = field(default_factory=dict)
    repeated: dict[str, list[str]] = field(default_factory=dict)

    def set(self, name: str, value: str) -> None:
        """Add a field as the browser would send it."""
        if name in self.fields:
            self.repeated.setdefault(name, [self.fields[name]]).append(value)
        self.fields[name] = value

    @property
    def sent(self) -> dict[str, str | list[str]]:
        """What the form would send."""
        return {**self.fields, **self.repeated}


class _Reader(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.forms: list[PageForm] = []
        self._select = self._area = ""

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        about = {name: value or "" for name, value in attrs}
        if tag == "form":
            self.forms.append(PageForm(about["action"], about.get("id", "")))
            return
        if not self.forms:
            return
        form, name = self.forms[-1], about.get("name", "")
        match tag:
            case "input" if name:
                ticked = about.get("type") not in {"radio", "checkbox"} or "checked" in about
                if ticked:
                    form.set(name, about.get("value", ""))
            case "select":
                self._select = name
                form.fields[name], form.options[name] = "", []
            case "option" if "value" in about:
                form.options[self._select].append(about["value"])
                if "selected" in about:
                    form.fields[self._select] = about["value"]
            case "textarea":
                self._area = name
                form.fields[name] = ""

    def handle_data(self, data: str) -> None:
        if self._area:
            self.forms[-1].fields[self._area] += data

    def handle_endtag(self, tag: str) -> None:
        if tag == "textarea":
            self._area = ""


def read_form(page: str, ends: str) -> PageForm:
    """The one form of a page whose address ends so; a page that has none, or several, is a fault."""
    [form] = [one for one in read_forms(page) if one.action.split("?")[0].endswith(ends)]
    return form


def read_forms(page: str) -> list[PageForm]:
    """Every form of a page."""
    reader = _Reader()
    reader.feed(page)
    return reader.forms
