-- Vectors from one file, ids from the other, side by side.
COPY photos (clip, id) FROM 'testdata/toy-clip/corpus/features.npy', 'testdata/toy-clip/corpus/photo_ids.csv';

UPDATE photos
    SET caption = m.caption, subject = m.subject, colour = m.colour, count = m.count,
        place = m.place, action = m.action, taken_at = m.taken_at,
        photographer = m.photographer, width = m.width, height = m.height
    FROM read_csv('testdata/toy-clip/corpus/metadata.csv') AS m
    WHERE m.photo_id = photos.id;

VACUUM photos;
