"""A loop that the cluster and the separation cost are compared with."""


def mean_of_nearest_by_loop(distances, labels, chosen):
    """``chosen(label)`` gives the prototypes that count for an image of a label."""
    nearest = []
    for row, label in zip(distances.tolist(), labels):
        counted = [row[prototype] for prototype in chosen(label)]
        if counted:
            nearest.append(min(counted))
    return sum(nearest) / max(len(nearest), 1)
