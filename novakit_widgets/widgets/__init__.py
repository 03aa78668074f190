"""The widgets, made with ipywidgets. They send no HTTP requests themselves."""

from ..errors import ConfigurationError, NovaKitError

try:
    import ipywidgets
except RuntimeError as problem:  # pragma: no cover # tested in a process of its own
    # IPython brings executors, which Python 3.10 refuses to import once the main thread has ended.
    raise NovaKitError(f"ipywidgets can't be imported ({problem}), so nothing was sent or billed.") from problem

# Google Colab loads its own ipywidgets before anything is installed; pip's newer one is used after the runtime restarts.
if int(ipywidgets.__version__.partition(".")[0]) < 8:  # pragma: no cover # tested in processes of their own
    raise ConfigurationError(
        f"ipywidgets {ipywidgets.__version__} is loaded in this kernel, and novakit_widgets needs ipywidgets 8. Nothing was sent "
        'or billed. Run pip install "ipywidgets>=8,<9", then restart the kernel (in Colab: Runtime, Restart session).'
    )
