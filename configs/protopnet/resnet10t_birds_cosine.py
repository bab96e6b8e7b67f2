# The demo with cosine similarity: prototypes and patches of unit length.
_base_ = './resnet10t_birds.py'

model = dict(
    head=dict(
        similarity='cosine',
        # Ten times the paper's weights, as a distance costs ten points, the similarity's scale:
        # cosine distances are that much smaller than the squared ones.
        loss=dict(cluster=dict(weight=8), separation=dict(weight=0.8)),
    )
)
