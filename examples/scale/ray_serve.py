"""vLLM replicas over the nodes of a Ray cluster, behind one address: `serve run ray_serve:app` on its head.

Needs `pip install 'ray[serve,llm]'` on every node. Not run by us: there was no GPU.
"""

from ray.serve.llm import LLMConfig, build_openai_app

config = LLMConfig(
    model_loading_config={"model_id": "Qwen/Qwen3-8B", "model_source": "Qwen/Qwen3-8B"},
    deployment_config={"autoscaling_config": {"min_replicas": 4, "max_replicas": 4}},
    engine_kwargs={
        "enable_auto_tool_choice": True,
        "tool_call_parser": "hermes",
        "reasoning_parser": "qwen3",
        "max_model_len": 32768,
    },
)
app = build_openai_app({"llm_configs": [config]})
