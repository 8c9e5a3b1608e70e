"""Checks that huggingface_hub can read a checkpoint's model card, and prints the metrics as JSON.

    pip install huggingface_hub
    python scripts/check_card.py runs/swiglu/best
"""

import json
import sys

from huggingface_hub import ModelCard

card = ModelCard.load(f"{sys.argv[1]}/README.md")
data = card.data
assert data.pipeline_tag == "text-generation", data.pipeline_tag
assert "tinygpt" in data.tags, data.tags
metrics = {result.metric_type: result.metric_value for result in data.eval_results or []}
print(json.dumps({"library": data.library_name, "base_model": data.base_model, "datasets": data.datasets, **metrics}))
