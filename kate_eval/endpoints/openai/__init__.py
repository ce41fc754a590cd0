"""The provider `kate/`: OpenAI-compatible servers, one or several replicas of them."""
