"""Folders of models on disk: what they hold (``model.json``), export to engines, and opening them again."""
