-- state.db: everything but rows. Times are microseconds since the epoch (UTC) unless a name says otherwise.

CREATE TABLE meta (key TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID;

-- A log as it was read so far: one row a log, found again by what is in it, not by its path.
CREATE TABLE logs (
    log_id      TEXT PRIMARY KEY,
    sensor      TEXT NOT NULL,
    name        TEXT NOT NULL,              -- log name: conn, dns, eve, open_conn
    node        TEXT NOT NULL DEFAULT '',   -- logger-1, worker-2
    head_hash   TEXT NOT NULL,
    head_len    INTEGER NOT NULL,
    position    INTEGER NOT NULL,           -- decompressed bytes whose rows are committed
    tail_hash   TEXT NOT NULL,
    tail_len    INTEGER NOT NULL,
    path        TEXT NOT NULL,
    device      INTEGER NOT NULL,
    inode       INTEGER NOT NULL,
    context     TEXT NOT NULL DEFAULT '',   -- of the decoder, at the position
    done        INTEGER NOT NULL DEFAULT 0,
    reached     TEXT NOT NULL DEFAULT '{}', -- JSON: table -> greatest end_ts of committed rows
    rows        INTEGER NOT NULL DEFAULT 0,
    bad         INTEGER NOT NULL DEFAULT 0,
    seen_us     INTEGER NOT NULL DEFAULT 0  -- wall clock of the last commit
);
CREATE INDEX logs_by_head ON logs (sensor, name, head_hash);

-- The manifest: a segment that is not named here does not exist.
CREATE TABLE segments (
    segment_id    TEXT PRIMARY KEY,
    tbl           TEXT NOT NULL,
    sensor        TEXT NOT NULL,
    source        TEXT NOT NULL,            -- zeek, suricata; '' for derived tables
    path          TEXT NOT NULL,            -- below the state folder
    rows          INTEGER NOT NULL,
    bytes         INTEGER NOT NULL,
    min_us        INTEGER NOT NULL,         -- least and greatest end_ts; of a derived table its hour
    max_us        INTEGER NOT NULL,
    hours         TEXT NOT NULL,            -- JSON: starts of the hours that hold rows
    derived       INTEGER NOT NULL DEFAULT 0,
    committed     INTEGER NOT NULL,         -- its own number, rising: cursors of log rows follow it; a merged one has
                                            -- the greatest of its parts
    tombstone_us  INTEGER                   -- wall clock at which a merged one replaced it or retention took it
);
CREATE INDEX segments_by_table ON segments (tbl, sensor, max_us, source) WHERE tombstone_us IS NULL;
CREATE INDEX segments_by_commit ON segments (tbl, committed) WHERE tombstone_us IS NULL;
CREATE INDEX segments_replaced ON segments (tombstone_us) WHERE tombstone_us IS NOT NULL;

-- Where the rows of a replaced segment lie now, as long as a cursor of log rows has not passed them: log rows keep the
-- ids and the order that they had.
CREATE TABLE parts (
    segment_id TEXT PRIMARY KEY,            -- the replaced one
    tbl        TEXT NOT NULL,
    committed  INTEGER NOT NULL,
    rows       INTEGER NOT NULL,
    holder     TEXT NOT NULL REFERENCES segments (segment_id) ON DELETE CASCADE,
    first_row  INTEGER NOT NULL             -- in the holder
) WITHOUT ROWID;
CREATE INDEX parts_by_commit ON parts (tbl, committed);
CREATE INDEX parts_by_holder ON parts (holder);

-- How far each unit of a sensor is evaluated: detector:<name>, hour:<derived table>, rule:<row rule>.
CREATE TABLE sealed (
    sensor TEXT NOT NULL, unit TEXT NOT NULL, sealed_us INTEGER NOT NULL,
    PRIMARY KEY (sensor, unit)
) WITHOUT ROWID;

CREATE TABLE windows_failed (
    sensor TEXT NOT NULL, detector TEXT NOT NULL, start_us INTEGER NOT NULL, end_us INTEGER NOT NULL, error TEXT NOT NULL,
    PRIMARY KEY (sensor, detector, end_us)
) WITHOUT ROWID;

CREATE TABLE late_windows (
    sensor TEXT NOT NULL, detector TEXT NOT NULL, hour_us INTEGER NOT NULL, rows INTEGER NOT NULL,
    PRIMARY KEY (sensor, detector, hour_us)
) WITHOUT ROWID;

-- What was found, a row per window and entity; an alert is the fold of its findings.
CREATE TABLE findings (
    alert_id   TEXT NOT NULL,
    detector   TEXT NOT NULL,
    sensor     TEXT NOT NULL,
    end_us     INTEGER NOT NULL,            -- of its window
    entity     TEXT NOT NULL,               -- JSON
    period_us  INTEGER NOT NULL,
    body       TEXT NOT NULL,               -- JSON
    PRIMARY KEY (alert_id, sensor, end_us)
) WITHOUT ROWID;
CREATE INDEX findings_by_window ON findings (detector, sensor, end_us);

CREATE TABLE alerts (
    alert_id     TEXT PRIMARY KEY,
    rule_id      TEXT NOT NULL,
    detector     TEXT NOT NULL,             -- or row:<rule id>
    period_us    INTEGER NOT NULL,
    closes_us    INTEGER NOT NULL,          -- the sealed mark at which it closes
    status       TEXT NOT NULL,             -- open, closed, withdrawn
    revision     INTEGER NOT NULL,          -- of the newest document in the outbox
    severity     INTEGER NOT NULL,
    score        REAL NOT NULL,
    first_us     INTEGER NOT NULL,
    last_us      INTEGER NOT NULL,
    fold         TEXT NOT NULL,             -- JSON: what later findings are merged with (row rules)
    document     TEXT NOT NULL,             -- JSON: as it is now, without status and revision
    pending      INTEGER NOT NULL,          -- it changed since it was last put into the outbox
    delivered_us INTEGER NOT NULL,          -- wall clock of that
    correlated   INTEGER NOT NULL DEFAULT 0,  -- the correlator knows it as it is now
    told         TEXT NOT NULL DEFAULT ''   -- JSON: its incident, and the alerts that tell of the same act
) WITHOUT ROWID;
CREATE INDEX alerts_open ON alerts (detector, status, closes_us);
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

CREATE TABLE outbox (
    seq      INTEGER PRIMARY KEY AUTOINCREMENT,
    kind     TEXT NOT NULL,                 -- alert, incident, health
    id       TEXT NOT NULL,
    revision INTEGER NOT NULL,
    queued_us INTEGER NOT NULL DEFAULT (strftime('%s', 'now') * 1000000),  -- wall clock
    body     TEXT NOT NULL
);
CREATE INDEX outbox_by_id ON outbox (kind, id, seq, queued_us);

CREATE TABLE cursors (sink TEXT PRIMARY KEY, position INTEGER NOT NULL, detail TEXT NOT NULL DEFAULT '') WITHOUT ROWID;

CREATE TABLE dead_letters (
    letter_id INTEGER PRIMARY KEY,
    origin    TEXT NOT NULL,                -- a log's path, or sink:<name>
    offset    INTEGER NOT NULL,             -- byte in the decompressed log, or position in the outbox
    reason    TEXT NOT NULL,
    body      BLOB NOT NULL,                -- the line, cut at 4 KiB, or the document
    kind      TEXT NOT NULL DEFAULT '',     -- of a document: alert, incident, health, row; '' of a line
    doc_id    TEXT NOT NULL DEFAULT '',
    revision  INTEGER NOT NULL DEFAULT 0,
    tbl       TEXT NOT NULL DEFAULT '',     -- of a row
    at_us     INTEGER NOT NULL DEFAULT 0,   -- wall clock at which it was kept; 0: by an older version
    attempts  INTEGER NOT NULL DEFAULT 1,   -- how often the sink refused it
    whole     INTEGER NOT NULL DEFAULT 0,   -- the body is all of the document, so that it can go again
    replay    INTEGER NOT NULL DEFAULT 0    -- it is to go again
);
CREATE INDEX dead_letters_to_replay ON dead_letters (origin) WHERE replay = 1;

CREATE TABLE counters (
    name TEXT NOT NULL, sensor TEXT NOT NULL, value INTEGER NOT NULL,
    PRIMARY KEY (name, sensor)
) WITHOUT ROWID;
