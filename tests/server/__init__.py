"""A real vLLM server on CPU, with a tiny checkpoint made on the spot: `make test-vllm`."""
