"""One training step: rows of a batch, targets, loss, gradients, optimizer."""
