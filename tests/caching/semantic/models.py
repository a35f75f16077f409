"""A static embedding model made on the spot: words as vectors, synonyms near each other, saved as model2vec saves."""

from pathlib import Path

import numpy as np
from model2vec import StaticModel
from tokenizers import Tokenizer, models, normalizers, pre_tokenizers

_SIZE = 64


def make_model(folder: Path, *meanings: str) -> Path:
    """Every line of ``meanings`` holds words that mean the same; words of one line have one vector, or nearly."""
    dice = np.random.default_rng(7)
    words: dict[str, int] = {"[UNK]": 0, "[PAD]": 1}
    vectors = [np.full(_SIZE, 0.01), np.zeros(_SIZE)]
    for meaning in meanings:
        centre = dice.standard_normal(_SIZE)
        for word in meaning.split():
            words[word] = len(words)
            vectors.append(centre + 0.1 * dice.standard_normal(_SIZE))
    tokenizer = Tokenizer(models.WordLevel(words, unk_token="[UNK]"))
    tokenizer.normalizer = normalizers.Lowercase()
    tokenizer.pre_tokenizer = pre_tokenizers.Whitespace()
    StaticModel(np.array(vectors, np.float32), tokenizer).save_pretrained(folder)
    return folder
