"""What a training, a ranking, an import or an export can choose from, in words: the catalogues."""
