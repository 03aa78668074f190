"""The widgets, made with ipywidgets. They send no HTTP requests themselves."""

import ipywidgets

from ..errors import ConfigurationError

# Google Colab loads its own ipywidgets before anything is installed; pip's newer one is used after the runtime restarts.
if int(ipywidgets.__version__.partition(".")[0]) < 8:  # pragma: no cover # tested in processes of their own
    raise ConfigurationError(
        f"ipywidgets {ipywidgets.__version__} is loaded in this kernel, and novakit_widgets needs ipywidgets 8. Nothing was sent "
        'or billed. Run pip install "ipywidgets>=8,<9", then restart the kernel (in Colab: Runtime, Restart session).'
    )
