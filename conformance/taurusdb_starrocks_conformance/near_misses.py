"""Names and identifiers that are almost correct, and that an almost correct rule accepts."""

from __future__ import annotations

import random
from typing import Any

FULL_WIDTH = {chr(code): chr(code + 0xFEE0) for code in range(0x21, 0x7F)}
# In Unicode, these are letters, digits or invisible. The contract allows only ASCII.
ODD = {
    "dash": "-",
    "dot": ".",
    "space": " ",
    "slash": "/",
    "quote": "'",
    "percent": "%",
    "dollar": "$",
    "NUL": "\0",
    "tab": "\t",
    "line break": "\n",
    "carriage return": "\r",
    "Arabic-Indic digit": "\u0663",
    "superscript digit": "\u00b2",
    "full-width digit": "\uff11",
    "full-width letter": "\uff41",
    "full-width underscore": "\uff3f",
    "letter with an accent": "\u00e9",
    "Cyrillic letter": "\u0430",
    "Chinese letter": "\u4efb",
    "long s": "\u017f",
    "Kelvin sign": "\u212a",
    "zero-width space": "\u200b",
    "line separator": "\u2028",
    "emoji": "\U0001f600",
    "lone surrogate": "\ud800",
}


def wrong_names(name: str) -> dict[str, Any]:
    """Invalid values for a task name, by what is wrong with them.

    Most become the name of the task if a server trims, cuts, folds or repairs them.
    """
    wrong: dict[str, Any] = {f"{what} at the end": name + char for what, char in ODD.items()}
    wrong |= {
        f"{what} inside": name[:1] + ODD[what] + name[1:] for what in ("dash", "space", "NUL")
    }
    wrong |= {
        f"{what} in front": ODD[what] + name for what in ("space", "line break", "zero-width space")
    }
    return wrong | {
        "dashes for underscores": name.replace("_", "-") if "_" in name else f"{name}-",
        "CR LF at the end": name + "\r\n",
        "the name on two lines": f"{name}\n{name}",
        "full-width throughout": "".join(FULL_WIDTH.get(char, char) for char in name),
        "SQL": f"{name}' OR '1'='1",
        "path": f"../{name}",
        "empty": "",
        "one character": name[:1],
        "two characters": name[:2],
        "129 characters": (name * 129)[:129],
        "fifty thousand characters": "a" * 50_000,
        "two letters and a combining accent": "ab\u0301",
        "null": None,
        "integer": 1234,
        "number": 1.5,
        "true": True,
        "list of the name": [name],
        "object": {"task_name": name},
    }


def other_names(name: str) -> dict[str, str]:
    """Valid names of no task, which a careless lookup takes for the task's name."""
    near = {
        "the name in uppercase": name.upper(),
        "the name in lowercase": name.lower(),
        "capitals swapped": name.swapcase(),
        "a capital in front": name.capitalize(),
        "words with capitals": name.title(),
        "the name without its last character": name[:-1],
        "the name without its first character": name[1:],
        "the name twice": (name + name)[:128],
        "a zero in front": f"0{name}"[:128],
        "an underscore at the end": f"{name}_"[:128],
        "an underscore in front": f"_{name}"[:128],
        # SQL's LIKE takes an underscore for any character.
        "underscores only": "_" * len(name),
        "an underscore for a letter": name[:1] + "_" + name[2:],
    }
    return {what: other for what, other in near.items() if other != name and 3 <= len(other) <= 128}


def wrong_identifiers(value: str) -> dict[str, str]:
    """Text for the path instead of an identifier, percent-encoded if needed."""
    return {
        "one character less": value[:-1],
        "one character more": value + "0",
        "dash inside": value[:8] + "-" + value[9:],
        "final line break": value + "%0A",
        "final CR LF": value + "%0D%0A",
        "final space": value + "%20",
        "leading space": "%20" + value,
        "NUL at the end": value + "%00",
        "NUL inside": value[:5] + "%00" + value[6:],
        "Arabic-Indic digit": value[:-1] + "%D9%A3",
        "full-width digit": value[:-1] + "%EF%BC%91",
        "accented letter": "%C3%A9" + value[1:],
        "bytes that are not UTF-8": "%FF" + value[1:],
        "dots": "%2E%2E",
        "encoded slash": value[:10] + "%2F" + value[11:],
        "the value after an encoded way up": f"x%2F..%2F{value}",
        "an encoded way up after the value": f"{value}%2F..",
        "quote": value[:-1] + "%27",
        "asterisk": "*",
        "template": "%7Bid%7D",
        "percent without digits": value[:-1] + "%25",
        "hyphens of a UUID": "-".join([value[:8], value[8:12], value[12:16], value[16:]]),
        "long": value * 20,
    }


def near_miss(name: str, chance: random.Random) -> Any:
    """A value that is almost the name."""
    if chance.random() < 0.5:
        value = chance.choice(list(wrong_names(name).values()))
        # Only raw bytes can carry half of a surrogate pair: see `probes`.
        return name + "-" if isinstance(value, str) and ODD["lone surrogate"] in value else value
    place = chance.randrange(len(name) + 1)
    return name[:place] + chr(chance.randrange(0x80, 0xD800)) + name[place:]
