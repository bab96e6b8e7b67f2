import torch
from mmengine.runner import Runner
from mmengine.runner.amp import autocast


@torch.no_grad()
def validate(runner: Runner) -> dict[str, float]:
    """Validate the model as it is now, without the hooks of a validation epoch.

    Returns:
        The metrics by name, the same on every process; empty without a validation set.
    """
    loop = runner.val_loop
    if loop is None:
        return {}
    runner.model.eval()
    for batch in loop.dataloader:
        with autocast(enabled=loop.fp16):
            outputs = runner.model.val_step(batch)
        loop.evaluator.process(data_samples=outputs, data_batch=batch)
    return numbers(loop.evaluator.evaluate(len(loop.dataloader.dataset)))


def numbers(metrics: dict) -> dict[str, float]:
    """Return the metrics that are single numbers."""
    return {name: value for name, value in metrics.items() if isinstance(value, float)}
