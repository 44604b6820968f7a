"""Lint the template as written and as the SAM transform translates it.

A misspelled `!GetAtt` inside a function's event is invisible as written; only the translation has the resource.
"""

from __future__ import annotations

import copy
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

from infra.cloud.build import BUILD, TEMPLATE

TRANSLATED = BUILD / "template.translated.json"
REGION = "eu-central-1"
_CODE = ("CodeUri", "ContentUri")

EXAMPLES = {"SenderAddress": "parcours@example.org"}
"""Values of parameters that have no default."""


def plain(path: Path = TEMPLATE) -> dict[str, Any]:
    """The template as plain data, its short tags (`!Ref x`) as the functions they stand for (`{"Ref": x}`)."""
    from cfnlint.decode.cfn_yaml import load  # type: ignore[import-untyped]

    return dict(json.loads(json.dumps(load(str(path)))))


def translated(template: dict[str, Any], parameters: dict[str, Any] | None = None) -> dict[str, Any]:
    """The plain CloudFormation that the SAM transform makes of a template."""
    from samtranslator.parser.parser import Parser  # type: ignore[import-untyped]
    from samtranslator.translator.translator import Translator  # type: ignore[import-untyped]

    source = copy.deepcopy(template)
    for resource in source["Resources"].values():
        for name in _CODE:
            if name in resource.get("Properties", {}):
                resource["Properties"][name] = "s3://bucket/key"  # it takes no local folder
    values = {**_given(template, parameters), "AWS::Region": REGION, "AWS::Partition": "aws"}
    translator = Translator({}, Parser(), boto_session=_RegionOnly())
    return dict(translator.translate(source, parameter_values=values))


def resolved(template: dict[str, Any], parameters: dict[str, Any] | None = None) -> dict[str, Any]:
    """A translated template as CloudFormation carries it out with these parameters.

    Every `Fn::If` is the branch that is taken; resources, outputs and properties that fall away are gone.
    """
    values = _given(template, parameters)

    def holds(condition: Any) -> bool:
        return _holds(condition, template["Conditions"], values)

    def chosen(part: Any) -> Any:
        if isinstance(part, list):
            return [made for made in map(chosen, part) if made != _NO_VALUE]
        if not isinstance(part, dict):
            return part
        if set(part) == {"Fn::If"}:
            condition, then, otherwise = part["Fn::If"]
            return chosen(then if holds(condition) else otherwise)
        made = {name: chosen(value) for name, value in part.items()}
        return {name: value for name, value in made.items() if value != _NO_VALUE}

    kept = dict(template)
    for section in ("Resources", "Outputs"):
        kept[section] = {
            name: chosen(part)
            for name, part in template[section].items()
            if "Condition" not in part or holds(part["Condition"])
        }
    return kept


def _holds(condition: Any, conditions: dict[str, Any], values: dict[str, Any]) -> bool:
    """Whether a condition is true: its name, or the function that it is."""
    if isinstance(condition, str):
        return _holds(conditions[condition], conditions, values)
    ((operator, operand),) = condition.items()
    if operator == "Condition":
        return _holds(operand, conditions, values)
    if operator == "Fn::Equals":
        left, right = (values[side["Ref"]] if isinstance(side, dict) else side for side in operand)
        return str(left) == str(right)
    parts = [_holds(part, conditions, values) for part in operand]
    return {"Fn::Not": not parts[0], "Fn::And": all(parts), "Fn::Or": any(parts)}[operator]


_NO_VALUE = {"Ref": "AWS::NoValue"}


def _given(template: dict[str, Any], parameters: dict[str, Any] | None) -> dict[str, Any]:
    """The value of each parameter: what is given, else its default, else an example of what must be given."""
    defaults = {name: parameter.get("Default", "") for name, parameter in template["Parameters"].items()}
    return {**defaults, **EXAMPLES, **(parameters or {})}


class _RegionOnly:
    """All that the translator asks of a boto session."""

    region_name = REGION


def main() -> int:
    """Lint both forms; 0 when neither has anything to complain of."""
    TRANSLATED.parent.mkdir(parents=True, exist_ok=True)
    TRANSLATED.write_text(json.dumps(translated(plain()), indent=1), encoding="utf-8")
    command = [str(Path(sys.executable).with_name("cfn-lint")), f"--regions={REGION}", "--template"]
    return max(subprocess.run([*command, str(path)], check=False).returncode for path in (TEMPLATE, TRANSLATED))


if __name__ == "__main__":
    sys.exit(main())
