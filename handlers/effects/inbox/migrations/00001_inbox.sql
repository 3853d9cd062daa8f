-- +goose Up
CREATE TABLE inbox (
    handler TEXT    NOT NULL,
    key     TEXT    NOT NULL,
    owner   TEXT    NOT NULL, -- of the attempt that is under way
    until   INTEGER NOT NULL, -- ms: after it the attempt is taken for dead
    done_at INTEGER,          -- ms; NULL while nothing came of it
    PRIMARY KEY (handler, key)
);

CREATE INDEX inbox_by_age ON inbox (done_at) WHERE done_at IS NOT NULL;

-- +goose Down
