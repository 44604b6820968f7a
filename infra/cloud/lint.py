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
    defaults = {name: parameter.get("Default") for name, parameter in source["Parameters"].items()}
    values = {**defaults, "AWS::Region": REGION, "AWS::Partition": "aws", **(parameters or {})}
    translator = Translator({}, Parser(), boto_session=_RegionOnly())
    return dict(translator.translate(source, parameter_values=values))


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
