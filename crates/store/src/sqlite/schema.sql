-- Version 1.
CREATE TABLE subscriber (
    aor     TEXT PRIMARY KEY,
    md5     TEXT NOT NULL,
    sha256  TEXT NOT NULL,
    number  TEXT,
    profile TEXT
) STRICT;

-- How often subscribers have changed.
CREATE TABLE version (what TEXT PRIMARY KEY, number INTEGER NOT NULL) STRICT;
INSERT INTO version VALUES ('subscriber', 0);

-- Nodes: the number of the life of each, and its signs of life.
CREATE TABLE node (
    name  TEXT PRIMARY KEY,
    role  TEXT NOT NULL,
    epoch INTEGER NOT NULL,
    beat  INTEGER NOT NULL
) STRICT;

-- What nodes keep beyond their lives.
CREATE TABLE kept (
    node  TEXT NOT NULL,
    key   INTEGER NOT NULL,
    value BLOB NOT NULL,
    PRIMARY KEY (node, key)
) STRICT, WITHOUT ROWID;

-- Session records; the body is JSON. Times are microseconds since 1970.
CREATE TABLE record (
    key         INTEGER PRIMARY KEY,
    served_user TEXT NOT NULL,
    ended       INTEGER NOT NULL,
    body        TEXT NOT NULL
) STRICT;
CREATE INDEX record_by_end ON record (ended, key);
CREATE INDEX record_by_user ON record (served_user, ended, key);

CREATE TABLE audit (
    id     INTEGER PRIMARY KEY,
    at     INTEGER NOT NULL,
    who    TEXT,
    origin TEXT NOT NULL,
    what   TEXT NOT NULL,
    status INTEGER NOT NULL
) STRICT;
