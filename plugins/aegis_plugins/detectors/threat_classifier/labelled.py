"""Labelled connections to labelled rows of features: what a pair's, or a whole hour's, connections are said to be."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import pandas as pd

from aegis_enrich.detect.evaluate import Limits, session
from aegis_enrich.enrich import Enrichment
from aegis_enrich.evaluate import Act
from aegis_enrich.plugin import HOUR_US
from aegis_enrich.store import Store
from aegis_enrich.store.views import create_view

from .classes import BENIGN, class_of, class_of_row

PAIR = ["sensor", "hour_us", "orig_h", "resp_h", "resp_p", "proto"]
HOST = ["sensor", "hour_us", "orig_h"]
PAIR_SHARE = 0.5  # of a pair's connections: from here on its row is what they are
HOST_SHARE = 0.2  # the same of all connections of a client's hour

_SQL = """
SELECT end_us // 3600000000 * 3600000000 AS hour_us, orig_h, resp_h, resp_p, proto, ts_us, end_us, extra
FROM conn
"""


def connections(store: Store, enrichment: Enrichment, sensor: str, acts: Sequence[Act] | None) -> pd.DataFrame:
    """The sensor's connections with `what` each is: by the acts, where given (others are benign), else by itself."""
    hours = store.hours(("conn",), sensor)
    view = store.view("conn", sensor, hours[0], hours[-1] + HOUR_US, enrichment.schema("conn"))
    with session(Limits()) as connection:
        create_view(connection, view)
        rows: pd.DataFrame = connection.sql(_SQL).to_arrow_table().to_pandas()
    if acts is None:
        known = {extra: class_of_row(extra) for extra in rows["extra"].dropna().unique()}
        rows["what"] = rows["extra"].map(known)
    else:
        rows["what"] = _by_acts(rows, acts)
    return rows.drop(columns="extra").assign(sensor=sensor)


def _by_acts(rows: pd.DataFrame, acts: Iterable[Act]) -> pd.Series:
    """The class of the act that a connection belongs to, either way round; None where the act is of no class."""
    what = pd.Series(BENIGN, index=rows.index, dtype=object)
    for act in acts:
        within = (rows["end_us"] >= act.start_us) & (rows["ts_us"] <= act.end_us)
        by = rows["orig_h"].map({h: h in act.who for h in rows["orig_h"].dropna().unique()}).fillna(False)
        his = within & by.astype(bool)
        whom = act.whom
        if whom is None:
            what[his] = class_of(act.what)
            continue
        to = rows["resp_h"].map({h: h in whom for h in rows["resp_h"].dropna().unique()}).fillna(False)
        theirs = his & to.astype(bool)
        what[theirs if theirs.any() else his] = class_of(act.what) if theirs.any() else None  # told of by names only
    return what


def label(features: pd.DataFrame, labelled: pd.DataFrame) -> pd.DataFrame:
    """The rows of features whose class is known, with it as `what`.

    A row is malicious where that share of its connections is; benign where none is and at least half are said to be.
    """
    pairs, hosts = _shares(labelled, PAIR, PAIR_SHARE), _shares(labelled, HOST, HOST_SHARE)
    whole = features["resp_h"].isna()
    of_pairs = features[~whole].astype({"resp_p": "int64"}).merge(pairs, on=PAIR)
    of_hosts = features[whole].merge(hosts, on=HOST)
    found = [frame for frame in (of_pairs, of_hosts) if len(frame)]
    return pd.concat(found, ignore_index=True) if found else features.iloc[:0].assign(what=None)


def _shares(labelled: pd.DataFrame, key: list[str], least: float) -> pd.DataFrame:
    rows = labelled.dropna(subset=[c for c in key if c != "sensor"])
    total = rows.groupby(key).size().rename("total")
    each = rows.groupby([*key, "what"]).size().rename("n").reset_index()
    bad = each[each["what"] != BENIGN].sort_values([*key, "n", "what"], ascending=[*[True] * len(key), False, True])
    worst = bad.drop_duplicates(key).set_index(key)
    good = each[each["what"] == BENIGN].set_index(key)["n"]
    table = total.to_frame().join(worst[["what", "n"]]).join(good.rename("good"))
    malicious = table["n"].fillna(0) / table["total"]
    harmless = (malicious == 0) & (table["good"].fillna(0) / table["total"] >= 0.5)
    table["what"] = table["what"].where(malicious >= least).mask(harmless, BENIGN)
    chosen: pd.DataFrame = table.dropna(subset=["what"])[["what"]].reset_index()
    return chosen
