"""The verbs that the laboratory adds to the command line, by its entry point in the group ``toothwise.verbs``."""

VERBS = {
    "evaluate": ("toothwise_lab.cli.evaluate", "measure a model on images or maps with known truth; overlays"),
    "study run": ("toothwise_lab.cli.study_run", "run a study: trials from one YAML, resumed after a kill"),
    "study status": ("toothwise_lab.cli.study_status", "which trials are done, failed and missing"),
    "study table": ("toothwise_lab.cli.study_table", "mean, sd and interval of every arm of a study"),
    "study compare": ("toothwise_lab.cli.study_compare", "paired tests over seeds and maps, and their verdicts"),
    "study export": ("toothwise_lab.cli.study_export", "results of a study as CSV, Parquet or JSON"),
    "study attention": ("toothwise_lab.cli.study_attention", "what directional layers of a detector attend to"),
}
