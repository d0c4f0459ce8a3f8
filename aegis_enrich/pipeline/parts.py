"""What a run is made of: configuration, enrichers, rules and detectors, checked before anything begins."""

from __future__ import annotations

import contextlib
import hashlib
import logging
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import pyarrow as pa

from ..config import Config
from ..correlate import Correlation, load_correlation
from ..decide import DetectorRule, RuleSet, load_rules
from ..decide.folders import rule_files
from ..enrich import Enrichment
from ..errors import AegisError, ConfigError
from ..registry import Registry

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Parts:
    """What a run is made of, from the configuration and the plugins that are installed."""

    config: Config
    registry: Registry
    enrichment: Enrichment
    rules: RuleSet
    correlation: Correlation = field(default_factory=Correlation)

    def config_hash(self, rules: RuleSet) -> str:
        """Of what the analysts decide: these rules with their tuning, networks, lists."""
        text = f"{rules.hash} {self.enrichment.digest()}"
        return hashlib.sha256(text.encode()).hexdigest()[:16]


def assemble(config: Config, registry: Registry) -> Parts:
    """Enrichers, rules and detectors as configured; raises ConfigError or Problems where something does not check."""
    settings = config.enricher_settings()
    enrichment = Enrichment([kind(settings.get(name, {})) for name, kind in registry.enrichers.items()])
    rules, correlation = rules_of(config, registry, enrichment.schema)
    return Parts(config, registry, enrichment, rules, correlation)


def rules_of(config: Config, registry: Registry, schema: Callable[[str], pa.Schema]) -> tuple[RuleSet, Correlation]:
    """The rules on the disk; raises ConfigError or Problems where they do not check, or none is enabled."""
    rules = load_rules(config.rules_dir, registry.detectors, schema)
    if not rules.detectors and not rules.rows:
        raise ConfigError(
            "no rule is enabled, so nothing would be watched; enable one, or name other rules in the configuration",
            where=str(config.rules_dir),
        )
    return rules, load_correlation(config.rules_dir, [r.id for r in rules])


def can_find(rule: DetectorRule) -> bool:
    """Whether there is a point in running it; said where there is none."""
    try:
        why = rule.detector.idle(rule.tuning)
    except AegisError as error:
        log.error("%s is not run: %s", rule.id, error)
        return False
    if why:
        log.info("%s %s", rule.id, why)
    return not why


def stamp(folder: Path) -> tuple[tuple[str, int, int], ...]:
    """What tells that a folder of rules, or the one that it extends, has changed."""
    found = []
    for path in rule_files(folder).values():
        with contextlib.suppress(OSError):  # an editor has just put another file in its place
            found.append((str(path), path.stat().st_mtime_ns, path.stat().st_size))
    return tuple(found)
