from tests.fix_prometheus import prometheus_tools

__all__ = ["prometheus_tools"]
