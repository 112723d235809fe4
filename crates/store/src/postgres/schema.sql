-- Version 1.
CREATE TABLE subscriber (
    aor     text PRIMARY KEY,
    md5     text NOT NULL,
    sha256  text NOT NULL,
    number  text,
    profile text
);

-- How often subscribers have changed.
CREATE TABLE version (what text PRIMARY KEY, number bigint NOT NULL);
INSERT INTO version VALUES ('subscriber', 0);

-- Nodes: the number of the life of each, and its signs of life.
CREATE TABLE node (
    name  text PRIMARY KEY,
    role  text NOT NULL,
    epoch bigint NOT NULL,
    beat  bigint NOT NULL
);

-- What nodes keep beyond their lives.
CREATE TABLE kept (
    node  text NOT NULL,
    key   bigint NOT NULL,
    value bytea NOT NULL,
    PRIMARY KEY (node, key)
);

-- Session records; the body is JSON. Times are microseconds since 1970.
CREATE TABLE record (
    key         bigint PRIMARY KEY,
    served_user text NOT NULL,
    ended       bigint NOT NULL,
    body        text NOT NULL
);
CREATE INDEX record_by_end ON record (ended, key);
CREATE INDEX record_by_user ON record (served_user, ended, key);

CREATE TABLE audit (
    id     bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    at     bigint NOT NULL,
    who    text,
    origin text NOT NULL,
    what   text NOT NULL,
    status integer NOT NULL
);
