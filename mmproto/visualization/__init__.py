from mmproto.visualization.prototype_hook import PrototypeVisualizationHook

__all__ = ['PrototypeVisualizationHook']
