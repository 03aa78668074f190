"""The views, made of ipywidgets. Nothing here knows HTTP."""

import ipywidgets

from ..errors import ConfigurationError

# Google Colab loads its own before anything is installed, and pip's newer one is not used until the runtime restarts.
if int(ipywidgets.__version__.partition(".")[0]) < 8:  # pragma: no cover # tested in processes of their own
    raise ConfigurationError(
        f"ipywidgets {ipywidgets.__version__} is loaded in this kernel, and novakit_widgets needs ipywidgets 8. Nothing was sent "
        'or billed. Run pip install "ipywidgets>=8,<9", then restart the kernel (in Colab: Runtime, Restart session).'
    )
