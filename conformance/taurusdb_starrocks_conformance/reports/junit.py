"""A run as JUnit XML: a test case for each check."""

from __future__ import annotations

from xml.etree import ElementTree as ET

from taurusdb_starrocks_conformance.checks import CHECKS
from taurusdb_starrocks_conformance.findings import Finding, Level, counted
from taurusdb_starrocks_conformance.run import Outcome


def junit(outcome: Outcome, commands: dict[int, list[str]], *, strict: bool = False) -> str:
    """The checks of the suite, passed or failed."""
    suite = ET.Element("testsuite", name="conformance", time=f"{outcome.seconds:.3f}")
    failures = 0
    numbered = list(enumerate(outcome.findings))
    for name, check in CHECKS.items():
        case = ET.SubElement(suite, "testcase", classname=check.area, name=name)
        found = [(number, finding) for number, finding in numbered if finding.check == name]
        failing = [pair for pair in found if strict or pair[1].level is Level.FAULT]
        if failing:
            failures += 1
            failure = ET.SubElement(case, "failure", message=printable(failing[0][1].message))
            failure.text = _told(failing, commands)
        if warnings := [pair for pair in found if pair not in failing]:
            ET.SubElement(case, "system-out").text = _told(warnings, commands)
    errors = 0
    if outcome.not_restored or outcome.interrupted or outcome.ended:
        errors = 1
        case = ET.SubElement(suite, "testcase", classname="run", name="the whole run")
        told = outcome.not_restored or outcome.verdict(strict=strict)
        ET.SubElement(case, "error", message=printable(told))
    suite.set("errors", str(errors))
    suite.set("tests", str(len(CHECKS) + errors))
    suite.set("failures", str(failures))
    ET.indent(suite)
    return ET.tostring(suite, encoding="unicode", xml_declaration=True) + "\n"


def _told(found: list[tuple[int, Finding]], commands: dict[int, list[str]]) -> str:
    return printable(
        "\n\n".join(
            f"{finding.level}: {finding.title}, seen {counted(finding.times, 'time')}\n"
            + "\n".join(
                f"{example.where}: {example.message}\n{command}"
                for example, command in zip(finding.examples, commands[number], strict=True)
            )
            for number, finding in found
        )
    )


def printable(text: str) -> str:
    """A text with escapes for characters that XML does not allow."""
    return "".join(
        char if char in "\t\n" or (char.isprintable() and ord(char) < 0xFFFE) else ascii(char)[1:-1]
        for char in text
    )
