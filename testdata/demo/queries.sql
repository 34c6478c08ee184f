-- A phrase comes back as the best pictures.
SELECT id, clip_sim('a dog playing in the garden') AS score, caption FROM photos ORDER BY score LIMIT 3;
SELECT id, clip_sim('a dog playing in the snow') AS score, caption FROM photos ORDER BY score LIMIT 3;
SELECT id, clip_sim('a tiger playing in the snow') AS score, caption FROM photos ORDER BY score LIMIT 3;
SELECT id, clip_sim('Roman aqueduct') AS score, caption FROM photos ORDER BY score LIMIT 3;
SELECT id, clip_sim('a castle in the sky') AS score, caption FROM photos ORDER BY score LIMIT 3;
SELECT id, clip_sim('a wolf') AS score, caption FROM photos ORDER BY score LIMIT 3;
SELECT id, clip_sim('two red fish') AS score, caption FROM photos ORDER BY score LIMIT 3;

-- The same over the pictures that the image encoder saw.
SELECT path, clip_sim('a wolf') AS score, caption FROM scenes ORDER BY score LIMIT 3;

-- Filtered by metadata: the best three of those that match.
SELECT id, clip_sim('a castle') AS score, caption, taken_at FROM photos
    WHERE place = 'snow' AND taken_at >= '2022-01-01' ORDER BY score LIMIT 3;

-- By example picture.
SELECT id, clip_sim(image('testdata/toy-clip/scenes/scene001.jpg')) AS score, caption FROM photos ORDER BY score LIMIT 3;

-- By another row's vector: more like this one.
SELECT id, clip_sim((SELECT clip FROM photos WHERE id = 'cwOXY9NcBJN')) AS score, caption FROM photos
    WHERE id <> 'cwOXY9NcBJN' ORDER BY score LIMIT 3;

-- By words: of the pictures in the snow those whose captions say neither snow nor winter.
SELECT id, highlight(caption, 'place: snow wolf -caption: (snow* OR winter)') AS caption, place FROM photos
    WHERE match(words, 'place: snow wolf -caption: (snow* OR winter)') ORDER BY bm25(words, 'wolf') LIMIT 3;

-- By words and by what is in the picture, in one exact order.
SELECT id, rrf(clip_sim('a wolf in the snow'), bm25(caption, 'wolf snow')) AS score, caption FROM photos ORDER BY score DESC LIMIT 3;
