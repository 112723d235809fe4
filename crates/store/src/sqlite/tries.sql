-- Version 3: how many lives have begun to take an entry up and have not been seen to survive it. A table of its own: who writes
-- entries and who writes this never wait for each other.
CREATE TABLE tried (
    node  TEXT NOT NULL,
    key   INTEGER NOT NULL,
    tries INTEGER NOT NULL,
    PRIMARY KEY (node, key)
) STRICT, WITHOUT ROWID;
