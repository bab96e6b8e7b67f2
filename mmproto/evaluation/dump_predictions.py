from pathlib import Path
from typing import Any

import mmengine
from mmengine.evaluator import DumpResults
from mmpretrain.registry import METRICS

from mmproto.utils.files import whole_file


@METRICS.register_module()
class DumpPredictions(DumpResults):
    """MMEngine's ``DumpResults``, but a file that cannot be written does not cost the metrics.

    .. code:: python

        test_evaluator = [dict(type='Accuracy'),
                          dict(type='DumpPredictions', out_file_path='predictions.pkl')]

    Attributes:
        failure: Why the file could not be written, None if it was.
    """

    failure: OSError | None = None

    def compute_metrics(self, results: list[Any]) -> dict:
        """Write the predictions; there are no metrics."""
        try:
            with whole_file(Path(self.out_file_path)) as file:
                mmengine.dump(results, file)
        except OSError as error:
            self.failure = error
        return {}
