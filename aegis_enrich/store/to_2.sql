-- From version 1: alerts are correlated to incidents.

ALTER TABLE alerts ADD COLUMN correlated INTEGER NOT NULL DEFAULT 0;
ALTER TABLE alerts ADD COLUMN told TEXT NOT NULL DEFAULT '';
CREATE INDEX alerts_uncorrelated ON alerts (alert_id) WHERE correlated = 0;
CREATE INDEX alerts_by_incident ON alerts (json_extract(nullif(told, ''), '$.incident.id'));

-- Hosts, names and places by which alerts may be tied to one another.
CREATE TABLE ties (
    tie      TEXT NOT NULL,
    alert_id TEXT NOT NULL,
    first_us INTEGER NOT NULL,
    last_us  INTEGER NOT NULL,
    PRIMARY KEY (tie, alert_id)
) WITHOUT ROWID;
CREATE INDEX ties_by_alert ON ties (alert_id);

CREATE TABLE incidents (
    incident_id  TEXT PRIMARY KEY,
    first_us     INTEGER NOT NULL,
    last_us      INTEGER NOT NULL,
    severity     INTEGER NOT NULL,
    risk         REAL NOT NULL,
    status       TEXT NOT NULL,             -- open, closed; merged, withdrawn: no incident any more
    merged_into  TEXT NOT NULL DEFAULT '',  -- the incident that took its alerts in
    revision     INTEGER NOT NULL,          -- of the newest document in the outbox
    document     TEXT NOT NULL,             -- JSON: as it is now, without status, revision and triage
    pending      INTEGER NOT NULL,          -- it changed since it was last put into the outbox
    delivered_us INTEGER NOT NULL           -- wall clock of that
) WITHOUT ROWID;
