"""LLaMA in JAX: model, loss, optimizer, data and the training loop."""
