"""How alerts are tied and weighed: the numbers that a site may change in `rules/correlation/settings.yml`."""

from __future__ import annotations

from dataclasses import dataclass

from ..plugin import HOUR_US, tunable


@dataclass(frozen=True)
class Settings:
    """Tunables of the correlator; the reasons for the defaults are in docs/incidents.md."""

    core_severity: int = tunable(47, "alerts from this severity on make incidents; lesser ones join them", least=21)
    gap_h: float = tunable(
        24.0, "silence of a host after which what it does next is another incident", unit="h", least=1
    )
    carry_h: float = tunable(24.0, "how long after a break-in what its victim does belongs to it", unit="h", least=0)
    carry_tried_h: float = tunable(1.0, "the same where nothing shows that the break-in succeeded", unit="h", least=0)
    crowd: int = tunable(
        10, "hosts that go to one place; where more do, that is an incident of its own and ties nothing else", least=2
    )
    carries: tuple[str, ...] = tunable(
        ("TA0001", "TA0002", "TA0008"), "tactics by which an attacker comes to be on the target"
    )
    shared: tuple[str, ...] = tunable(("TA0011",), "tactics whose common outside target ties the hosts that go there")
    least_risk: float = tunable(40.0, "what is less than this is no incident", least=0, most=100)
    best_share: float = tunable(0.7, "part of the risk that the worst alert alone can give", least=0.1, most=1)
    per_tactic: float = tunable(0.12, "what each further tactic takes of the rest", least=0, most=0.9)
    per_detector: float = tunable(
        0.08, "what each further detector that saw the same act takes of the rest", least=0, most=0.9
    )
    per_host: float = tunable(0.05, "what each further inside host (up to five) takes of the rest", least=0, most=0.9)
    per_day: float = tunable(0.03, "what each further day (up to ten) takes of the rest", least=0, most=0.9)
    both_sensors: float = tunable(0.05, "what a second sensor takes of the rest", least=0, most=0.9)
    rare_target: float = tunable(0.05, "what a target that hardly any host knows takes of the rest", least=0, most=0.9)
    rare_share: float = tunable(0.02, "share of the hosts up to which a target is rare", least=0, most=1)
    high_asset: float = tunable(0.15, "what a host of high criticality takes of the rest", least=0, most=0.9)
    critical_asset: float = tunable(0.25, "what a host of critical criticality takes of the rest", least=0, most=0.9)
    only_tried: float = tunable(
        0.5, "what is left of the risk where outsiders tried and nothing shows that they got in", least=0, most=1
    )

    @property
    def gap_us(self) -> int:
        return int(self.gap_h * HOUR_US)

    @property
    def carry_us(self) -> int:
        return int(self.carry_h * HOUR_US)

    @property
    def tried_us(self) -> int:
        return int(self.carry_tried_h * HOUR_US)

    @property
    def reach_us(self) -> int:
        """How far apart in time two alerts may lie that are tied."""
        return max(self.gap_us, self.carry_us, self.tried_us)
