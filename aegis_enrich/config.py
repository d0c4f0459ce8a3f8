"""The configuration: one YAML file, strict, all problems at once; every value has a default that works."""

from __future__ import annotations

import dataclasses
import math
import os
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from importlib.resources import files
from pathlib import Path
from typing import Any, get_type_hints

import yaml

from .errors import ConfigError, Problems
from .yaml_text import compose, text_of
from .yaml_text import load as load_yaml

_UNITS = {"KB": 10**3, "MB": 10**6, "GB": 10**9, "TB": 10**12, "KIB": 2**10, "MIB": 2**20, "GIB": 2**30}


def _doc(
    default: Any,
    doc: str,
    *,
    least: float | None = None,
    most: float | None = None,
    path: bool = False,
    words: Sequence[str] = (),
) -> Any:
    meta = {"doc": doc, "least": least, "most": most, "path": path, "words": words}
    if isinstance(default, (list, dict)):
        return field(default_factory=lambda: type(default)(default), metadata=meta)
    return field(default=default, metadata=meta)


@dataclass(frozen=True)
class Flush:
    """When rows that were read become durable."""

    rows: int = _doc(262_144, "rows that are waiting, at most", least=1)
    seconds: float = _doc(5.0, "how long rows wait, at most, in seconds", least=0.05, most=600)
    small_seconds: float = _doc(
        60.0, "the same for logs with fewer than small_rows rows waiting", least=0.05, most=3600
    )
    small_rows: int = _doc(1_000, "fewer rows than these wait for small_seconds", least=0)


@dataclass(frozen=True)
class Retention:
    """How long things are kept; ages are in days of event time back from the newest row of a sensor (for alerts: of
    all), sizes are what the lake may hold."""

    rows_days: float = _doc(30.0, "log rows", least=0.1)
    derived_days: float = _doc(400.0, "derived tables", least=1)
    alerts_days: float = _doc(400.0, "closed alerts", least=1)
    dead_letters: int = _doc(100_000, "bad lines and refused documents that are kept, the newest", least=0)
    max_size: str = _doc("200GB", "the lake's size; the oldest rows go first; what goes frees its bytes an hour later")
    min_free: str = _doc("1GB", "free space below which reading stops until there is more")


@dataclass(frozen=True)
class Geo:
    """MMDB files (MaxMind's or compatible); none is fine."""

    city: str = _doc("", "GeoLite2-City.mmdb or GeoIP2-City.mmdb", path=True)
    country: str = _doc("", "the same for countries, where there is no city file", path=True)
    asn: str = _doc("", "GeoLite2-ASN.mmdb", path=True)


@dataclass(frozen=True)
class Elasticsearch:
    """Where alerts (and log rows) are indexed; AEGIS_ES_API_KEY and AEGIS_ES_PASSWORD may hold the secrets."""

    url: str = _doc("", "https://host:9200, several with commas")
    api_key: str = _doc("", "an encoded API key")
    username: str = _doc("", "for basic authentication")
    password: str = _doc("", "for basic authentication")
    ca_certs: str = _doc("", "a CA file in PEM", path=True)
    fingerprint: str = _doc("", "SHA-256 fingerprint of the server's CA certificate")
    cloud_id: str = _doc("", "the cloud ID of a deployment in Elastic Cloud, instead of url")
    proxy: str = _doc("", "http://proxy:3128 (default: that of the environment, never to this machine); none for none")
    timeout_s: float = _doc(30.0, "how long an answer may take, in seconds", least=1, most=600)
    index_logs: list[str] = _doc([], "tables whose rows are indexed too, such as conn and dns")
    log_retention: str = _doc("30d", "how long Elasticsearch keeps log rows and health")
    lifecycle: str = _doc("data_stream", "who drops old log rows: data_stream (their own lifecycle) or ilm (a policy)")
    pipeline: str = _doc("", "an ingest pipeline of the site's own, which every document goes through")


@dataclass(frozen=True)
class OpenSearch:
    """The same by OpenSearch's client (aegis-enrich[opensearch]); AEGIS_OPENSEARCH_PASSWORD may hold the secret."""

    url: str = _doc("", "https://host:9200, several with commas")
    username: str = _doc("", "for basic authentication")
    password: str = _doc("", "for basic authentication")
    ca_certs: str = _doc("", "a CA file in PEM", path=True)
    fingerprint: str = _doc("", "SHA-256 fingerprint of the server's own certificate")
    proxy: str = _doc("", "as elasticsearch.proxy")
    timeout_s: float = _doc(30.0, "how long an answer may take, in seconds", least=1, most=600)
    log_retention: str = _doc("30d", "how long log rows and health are kept")
    lifecycle: str = _doc("ism", "who drops old log rows: ism (a policy of index state management) or none")
    pipeline: str = _doc("", "an ingest pipeline of the site's own, which every document goes through")


@dataclass(frozen=True)
class Metrics:
    """What a live `watch` tells over HTTP: /metrics (Prometheus), /healthz, /readyz."""

    listen: str = _doc("", ":9108 for this machine only, 0.0.0.0:9108 for the network (no TLS, no password)")
    stall_s: float = _doc(
        120.0, "seconds without a round of the engine's loop from which /healthz says dead", least=5, most=3600
    )


@dataclass(frozen=True)
class Log:
    """What is said on standard error."""

    format: str = _doc(
        "text", "text for people, json for collectors: one object a line in ECS's names", words=("text", "json")
    )
    level: str = _doc("warning", "debug, info, warning or error", words=("debug", "info", "warning", "error"))


@dataclass(frozen=True)
class Rotate:
    """When the NDJSON file is moved aside (FILE.1 is the newest, FILE.2 the one before) and a new one begun."""

    size: str = _doc("", "such as 100MB: before it would grow beyond this; empty for never")
    every: str = _doc(
        "", "hour or day (UTC): with the first line of the next one; empty for never", words=("hour", "day", "")
    )
    keep: int = _doc(14, "how many files that were moved aside are kept", least=1, most=10_000)


@dataclass(frozen=True)
class Kafka:
    """Logs that come as messages; AEGIS_KAFKA_USERNAME and AEGIS_KAFKA_PASSWORD hold the secrets."""

    url: str = _doc("", "kafka://BROKER:9092[,BROKER]/TOPIC[,TOPIC], where the command line names nothing to watch")
    group: str = _doc("aegis-enrich", "the consumer group: every watch in it reads partitions of its own")
    sensor_field: str = _doc("", "the field that names the sensor, such as observer.name (default: the message's key)")
    away_s: float = _doc(
        600.0, "seconds that a watch may be away before another one takes its partitions", least=6, most=1800
    )
    settings: dict[str, str] = _doc({}, "librdkafka's settings, such as security.protocol and sasl.mechanism")


@dataclass(frozen=True)
class Config:
    """Everything that an operator sets; the analysts' part is in the rules."""

    state: str = _doc("", "folder of the lake and the state (default: the platform's state folder)", path=True)
    sensors: dict[str, list[str]] = _doc({}, "sensor name to its log folders, for several sensors", path=True)
    rules: str = _doc("", "folder of the rules (default: those that come with AegisEnrich)", path=True)
    networks: str = _doc("", "networks.yml (default: the one among the rules)", path=True)
    assets: str = _doc("", "assets.csv (default: the one among the rules)", path=True)
    intel: list[str] = _doc([], "files or folders of indicators (default: intel/ among the rules)", path=True)
    community_id: bool = _doc(
        False, "compute community ids where the log has none (takes as long as decoding and storing)"
    )
    geo: Geo = field(default_factory=Geo, metadata={"doc": "MMDB files"})
    flush: Flush = field(default_factory=Flush, metadata={"doc": "when rows become durable"})
    retention: Retention = field(default_factory=Retention, metadata={"doc": "how long things are kept"})
    elasticsearch: Elasticsearch = field(default_factory=Elasticsearch, metadata={"doc": "the index"})
    opensearch: OpenSearch = field(default_factory=OpenSearch, metadata={"doc": "an index in OpenSearch"})
    metrics: Metrics = field(default_factory=Metrics, metadata={"doc": "metrics and health over HTTP"})
    log: Log = field(default_factory=Log, metadata={"doc": "what is said on standard error"})
    kafka: Kafka = field(default_factory=Kafka, metadata={"doc": "logs that come as messages"})
    plugins: dict[str, dict[str, Any]] = _doc(
        {},
        "settings of other plugins by name; a sink that is named here is in use, an entry with sink: NAME is one more",
    )
    output: str = _doc("", "NDJSON file of alerts", path=True)
    rotate: Rotate = field(default_factory=Rotate, metadata={"doc": "when the NDJSON file is moved aside"})
    idle_after_s: float = _doc(
        600.0, "seconds after its last row from which a silent log holds no window open", least=0
    )
    memory_limit: str = _doc("512MB", "what one evaluation may use in DuckDB before it spills")
    threads: int = _doc(2, "threads of DuckDB", least=1, most=64)
    archives_hours: float = _doc(24.0, "how far back a new watch reads archives", least=0)

    def file(self, value: str, default: str) -> Path:
        """A configured path, or this one among the rules in force."""
        return Path(value) if value else self.rules_dir / default

    @property
    def rules_dir(self) -> Path:
        return Path(self.rules) if self.rules else shipped_rules()

    @property
    def state_dir(self) -> Path:
        return Path(self.state) if self.state else default_state()

    def enricher_settings(self) -> dict[str, dict[str, Any]]:
        """The section of each enricher, paths resolved."""
        return {
            **self.plugins,
            "networks": {"path": str(self.file(self.networks, "networks.yml")), "required": bool(self.networks)},
            "assets": {"path": str(self.file(self.assets, "assets.csv")), "required": bool(self.assets)},
            "geo": dataclasses.asdict(self.geo),
            "intel": {"paths": self.intel or [str(self.rules_dir / "intel")]},
            "community_id": {"compute": self.community_id},
            "domain": {},
        }


def shipped_rules() -> Path:
    """The rules that come with the package, or those of the source tree."""
    return shipped("rules")


def shipped(name: str, source: str = "") -> Path:
    """A folder of data that comes with the package, or its place in the source tree (`source`, else its name)."""
    packaged = Path(str(files("aegis_enrich"))) / "_data" / name
    return packaged if packaged.is_dir() else Path(__file__).resolve().parent.parent / (source or name)


def default_state() -> Path:
    """`$AEGIS_STATE`, `/var/lib/aegis-enrich` for root, else `$XDG_STATE_HOME/aegis-enrich`."""
    if os.environ.get("AEGIS_STATE"):
        return Path(os.environ["AEGIS_STATE"])
    if os.geteuid() == 0:
        return Path("/var/lib/aegis-enrich")
    return Path(os.environ.get("XDG_STATE_HOME") or Path.home() / ".local" / "state") / "aegis-enrich"


def size_bytes(text: str, *, where: str = "") -> int:
    """`200GB`, `512 MiB` or plain bytes."""
    match = re.fullmatch(r"\s*(\d+(?:\.\d+)?)\s*([A-Za-z]*)\s*", str(text))
    unit = match and (_UNITS.get(match[2].upper()) if match[2] not in ("", "B", "b") else 1)
    if not match or not unit:
        raise ConfigError(f"{text!r} is not a size; write it like 512MB or 200GB", where=where)
    return int(float(match[1]) * unit)


def load(path: Path | None) -> Config:
    """The configuration of this file (or all defaults); raises Problems that name file and line."""
    if path is None:
        return Config()
    try:
        text = text_of(path, pipe=True)
    except (OSError, UnicodeDecodeError) as error:
        what = getattr(error, "strerror", None) or error
        raise ConfigError(f"{what}; name a file that can be read with --config", where=str(path)) from error
    try:
        node = compose(text)
        data = load_yaml(text) or {}
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        where = f"{path}:{mark.line + 1}" if mark else str(path)
        raise ConfigError(f"not YAML: {getattr(error, 'problem', error)}", where=where) from error
    if not isinstance(data, Mapping):
        raise ConfigError("a mapping of settings is expected; `aegis-enrich config show` prints one", where=str(path))
    problems: list[ConfigError] = []
    config: Config = _build(Config, data, node, path, "", problems)
    for name, text_size in (
        ("memory_limit", config.memory_limit),
        ("retention.max_size", config.retention.max_size),
        ("retention.min_free", config.retention.min_free),
        *((("rotate.size", config.rotate.size),) if config.rotate.size else ()),
    ):
        try:
            size_bytes(text_size, where=f"{path}: {name}")
        except ConfigError as error:
            problems.append(error)
    if problems:
        raise Problems(problems)
    return config


def _build(kind: type, data: Mapping[str, Any], node: Any, path: Path, prefix: str, problems: list[ConfigError]) -> Any:
    lines = {k.value: k.start_mark.line + 1 for k, _ in node.value} if isinstance(node, yaml.MappingNode) else {}
    nodes = {k.value: v for k, v in node.value} if isinstance(node, yaml.MappingNode) else {}
    known = {f.name: f for f in dataclasses.fields(kind)}
    hints = get_type_hints(kind)
    values = {}
    for key, value in data.items():
        where = f"{path}:{lines.get(key, 1)}"
        if key not in known:
            problems.append(ConfigError(f"unknown setting {prefix}{key}; known are {', '.join(known)}", where=where))
            continue
        hint, meta = hints[key], known[key].metadata
        if dataclasses.is_dataclass(hint):
            if isinstance(value, Mapping):
                values[key] = _build(hint, value, nodes[key], path, f"{prefix}{key}.", problems)  # type: ignore[arg-type]
            else:
                problems.append(ConfigError(f"{prefix}{key} takes a mapping of settings", where=where))
            continue
        try:
            values[key] = typed_value(value, hint, meta, path.parent)
        except ValueError as error:
            problems.append(ConfigError(f"{prefix}{key}: {value!r} {error}; it is: {meta['doc']}", where=where))
    return kind(**values)


def typed_value(value: Any, hint: Any, meta: Mapping[str, Any], base: Path) -> Any:
    """`value` as the setting's type; raises ValueError with what is wrong. Relative paths are the file's."""

    def resolved(text: str) -> str:
        return str((base / Path(text).expanduser()).absolute()) if meta.get("path") and text else text

    if hint is bool:
        if not isinstance(value, bool):
            raise ValueError("is not true or false")
        return value
    if hint in (int, float):
        finite = isinstance(value, int) or (isinstance(value, float) and math.isfinite(value))
        if isinstance(value, bool) or not finite or (hint is int and value != int(value)):
            raise ValueError("is not a number")
        least, most = meta.get("least"), meta.get("most")
        if (least is not None and value < least) or (most is not None and value > most):
            raise ValueError(f"is not in the range {least if least is not None else '…'} to {most or '…'}")
        return hint(value)
    if hint is str:
        if not isinstance(value, (str, int)) or isinstance(value, bool):
            raise ValueError("is not a text")
        if meta.get("words") and value not in meta["words"]:
            raise ValueError(f"is none of {', '.join(meta['words'])}")
        return resolved(str(value))
    if hint == list[str]:
        items = [value] if isinstance(value, str) else value
        if not isinstance(items, list) or not all(isinstance(i, str) for i in items):
            raise ValueError("is not a list of texts")
        return [resolved(i) for i in items]
    if not isinstance(value, Mapping):
        raise ValueError("is not a mapping")
    if hint == dict[str, dict[str, Any]]:
        if not all(isinstance(v, Mapping) for v in value.values()):
            raise ValueError("is not a mapping of names to settings")
        return {str(k): dict(v) for k, v in value.items()}
    if hint == dict[str, str]:
        if any(isinstance(v, (Mapping, list)) for v in value.values()):
            raise ValueError("is not a mapping of names to texts")
        return {str(k): str(v).lower() if isinstance(v, bool) else str(v) for k, v in value.items()}
    if not all(isinstance(v, (str, list)) for v in value.values()):
        raise ValueError("is not a mapping of names to lists of texts")
    return {str(k): [resolved(str(i)) for i in ([v] if isinstance(v, str) else v)] for k, v in value.items()}
