# The paper's stages, but for the last layer: solved exactly after each push, so that connections
# between a prototype and other classes are left only where they pay. See docs/schedule.md.
_base_ = './protopnet.py'

optim_wrapper = dict(
    stages=dict(
        last_layer=dict(
            _delete_=True, solver=dict(type='SparseLastLayer', l1_weight=1e-2, l2_weight=1e-2)
        )
    )
)
