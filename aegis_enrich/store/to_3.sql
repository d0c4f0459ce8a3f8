-- From version 2: dead letters say which document they are, so that it can go to its sink again.

ALTER TABLE dead_letters ADD COLUMN kind TEXT NOT NULL DEFAULT '';
ALTER TABLE dead_letters ADD COLUMN doc_id TEXT NOT NULL DEFAULT '';
ALTER TABLE dead_letters ADD COLUMN revision INTEGER NOT NULL DEFAULT 0;
ALTER TABLE dead_letters ADD COLUMN tbl TEXT NOT NULL DEFAULT '';
ALTER TABLE dead_letters ADD COLUMN at_us INTEGER NOT NULL DEFAULT 0;
ALTER TABLE dead_letters ADD COLUMN attempts INTEGER NOT NULL DEFAULT 1;
ALTER TABLE dead_letters ADD COLUMN whole INTEGER NOT NULL DEFAULT 0;
ALTER TABLE dead_letters ADD COLUMN replay INTEGER NOT NULL DEFAULT 0;
CREATE INDEX dead_letters_to_replay ON dead_letters (origin) WHERE replay = 1;
