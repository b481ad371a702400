"""Load YAML, with libyaml if available: a seed of 10,000 tasks takes 0.3 s instead of 2 s."""

from __future__ import annotations

from typing import Any

import yaml

__all__ = ["parse_yaml"]

_Loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


def parse_yaml(text: str) -> Any:
    """Parse YAML.

    Raises:
        yaml.YAMLError: The text is not YAML.
    """
    return yaml.load(text, Loader=_Loader)  # noqa: S506 - either loader is a safe one
