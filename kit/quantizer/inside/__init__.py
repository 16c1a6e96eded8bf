"""What runs in the quantizer's venv: numpy, ai-edge-litert and litert-quantizer, and kit.shared beside them."""
