-- The words of captions and places can be searched, too.
CREATE INDEX IF NOT EXISTS words ON photos USING fulltext (caption, place) WITH (language = 'english');
