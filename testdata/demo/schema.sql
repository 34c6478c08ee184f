-- Two tables: scenes, whose vectors the image encoder makes from 300 picture
-- files, and photos, whose 20,000 vectors were computed beforehand.
CREATE TABLE IF NOT EXISTS scenes (
    path    TEXT PRIMARY KEY,
    clip    VECTOR ENCODER 'toy-clip',
    width   INTEGER,
    height  INTEGER,
    id      TEXT,
    caption TEXT,
    subject TEXT,
    colour  TEXT,
    count   INTEGER,
    place   TEXT,
    action  TEXT
);

CREATE TABLE IF NOT EXISTS photos (
    id           TEXT PRIMARY KEY,
    clip         VECTOR ENCODER 'toy-clip',
    caption      TEXT,
    subject      TEXT,
    colour       TEXT,
    count        INTEGER,
    place        TEXT,
    action       TEXT,
    taken_at     TIMESTAMP,
    photographer TEXT,
    width        INTEGER,
    height       INTEGER
);
