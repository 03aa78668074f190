"""One function for each tool, with the documented parameters' names and defaults in its signature.

The defaults in a signature are the service's. Parameters that you omit are not sent, so a default that the service changes takes
effect at once.
"""

from __future__ import annotations

import functools
import inspect
from typing import TYPE_CHECKING, Any, ParamSpec

from ..errors import boxed
from ..model.spelling import check_names
from ..model.tools import Tool

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from ..api.client import NovaKitClient
    from ..api.embedding import Embed
    from ..api.sources import Source
    from ..widgets.card.widget import JobWidget

__all__ = ["attach", "edit_image", "image", "music", "speech", "transcribe", "video"]

_P = ParamSpec("_P")
# Parameters of the widget rather than of the service.
_OURS = ("client", "timeout", "embed", "autostart", "reuse")

_NOTE = """
    Parameters you omit are not sent; the defaults shown are the service's. ``None`` means not set. Other keywords are sent as they
    are, except likely misspellings. ``client``, ``timeout`` (seconds), ``embed``, ``autostart`` and ``reuse`` are described in
    `JobWidget`.

    Returns:
        A `JobWidget`, which shows itself, runs in the background, and can be awaited.

    Raises:
        InvalidParameterError: The service does not accept a value. Nothing was sent or billed.
        TypeError: A keyword is a likely misspelling.
        MissingKeyError: There is no API key.
"""


def _short_form(tool: Tool) -> Callable[[Callable[_P, JobWidget]], Callable[_P, JobWidget]]:
    """Turn a signature into a short form that sends only the parameters that the caller set."""

    def decorate(described: Callable[_P, JobWidget]) -> Callable[_P, JobWidget]:
        signature = inspect.signature(described)

        @functools.wraps(described)
        def short_form(*args: _P.args, **kwargs: _P.kwargs) -> JobWidget:
            try:
                given = dict(signature.bind(*args, **kwargs).arguments)
            except TypeError as error:  # such as a missing prompt
                raise boxed(TypeError(f"{described.__name__}(): {error}. Nothing was sent or billed.")) from None
            others = given.pop("params", {})
            if others:
                check_names(tool, others, called=f"{described.__name__}()", ours=_OURS)
            ours = {name: given.pop(name) for name in _OURS if name in given}
            from ..widgets.card.widget import JobWidget

            return JobWidget(tool, {**given, **others}, **ours)

        text = inspect.cleandoc(described.__doc__ or "")
        note = inspect.cleandoc(_NOTE)
        short_form.__doc__ = f"{text}\n\n{note}\n"
        return short_form

    return decorate


@_short_form(Tool.VIDEO)
def video(
    prompt: str,
    *,
    model: str = "fal-ai/minimax/video-01",
    duration_seconds: float = 5,
    resolution: str = "720p",
    fps: int = 30,
    aspect_ratio: str = "16:9",
    mode: str = "text_to_video",
    source_image: Source | None = None,
    source_video: Source | None = None,
    negative_prompt: str | None = None,
    seed: int | None = None,
    prompt_optimizer: bool = True,
    loop: bool = False,
    client: NovaKitClient | None = None,
    timeout: float | None = None,
    embed: Embed | None = None,
    autostart: bool = True,
    reuse: bool | None = None,
    **params: Any,
) -> JobWidget:
    """Generate a video from a text prompt.

    Args:
        prompt: A description of the result.
        model: The model.
        duration_seconds: The length in seconds.
        resolution: ``"720p"``, ``"1080p"`` or ``"4k"``.
        fps: Frames per second, 30 or 60.
        aspect_ratio: ``"16:9"``, ``"9:16"``, ``"1:1"``, ``"4:3"`` or ``"3:4"``.
        mode: ``"text_to_video"``, ``"image_to_video"`` or ``"video_to_video"``.
        source_image: The first image, for ``image_to_video``: a URL, a `pathlib.Path`, an open file, bytes, a Pillow image, an
            array of pixels, or a finished card or job.
        source_video: The original video, for ``video_to_video``: a URL, a `pathlib.Path`, or bytes.
        negative_prompt: What the result should not contain.
        seed: The same seed and prompt give the same result.
        prompt_optimizer: Let the service improve the prompt.
        loop: Make the video loop seamlessly.

    Example:
        >>> video("A sunset over mountains", fps=29)
        Traceback (most recent call last):
        ...
        novakit_widgets.errors.InvalidParameterError: video: fps must be 30 or 60, got 29. Nothing was sent or billed.
    """
    raise AssertionError  # the decorator sends the parameters


@_short_form(Tool.MUSIC)
def music(
    prompt: str,
    *,
    model: str = "fal-ai/stable-audio",
    duration_seconds: float = 30,
    mode: str = "text_to_music",
    source_audio: Source | None = None,
    output_format: str = "mp3",
    negative_prompt: str | None = None,
    model_inputs: Mapping[str, Any] | None = None,
    client: NovaKitClient | None = None,
    timeout: float | None = None,
    embed: Embed | None = None,
    autostart: bool = True,
    reuse: bool | None = None,
    **params: Any,
) -> JobWidget:
    """Generate music from a text prompt.

    Args:
        prompt: A description of the result.
        model: The model.
        duration_seconds: The length in seconds: at most 47 with the default model, 60 with others.
        mode: ``"text_to_music"`` or ``"audio_to_audio"``.
        source_audio: The original audio, for ``audio_to_audio``: a URL, a `pathlib.Path`, or bytes.
        output_format: ``"mp3"`` or ``"wav"``.
        negative_prompt: What the result should not contain.
        model_inputs: Further parameters of the model.

    Example:
        >>> music("Slow jazz", duration_seconds=50)  # doctest: +ELLIPSIS
        Traceback (most recent call last):
        ...
        novakit_widgets.errors.InvalidParameterError: music: duration_seconds must be at most 47 s ...
    """  # a doctest's output is one line
    raise AssertionError


@_short_form(Tool.IMAGE)
def image(
    prompt: str,
    *,
    model: str = "fal-ai/flux/dev",
    size: str = "1024x1024",
    n: int = 1,
    style: str = "vivid",
    upscale: str | None = None,
    negative_prompt: str | None = None,
    seed: int | None = None,
    client: NovaKitClient | None = None,
    timeout: float | None = None,
    embed: Embed | None = None,
    autostart: bool = True,
    reuse: bool | None = None,
    **params: Any,
) -> JobWidget:
    """Generate images from a text prompt.

    Args:
        prompt: A description of the result.
        model: The model.
        size: Width x height in pixels, such as ``"1024x1024"``.
        n: The number of images, 1 to 10.
        style: ``"vivid"`` or ``"natural"``.
        upscale: ``"2x"`` or ``"4x"``.
        negative_prompt: What the result should not contain.
        seed: The same seed and prompt give the same result.

    Example:
        >>> image("A lighthouse", n=11)
        Traceback (most recent call last):
        ...
        novakit_widgets.errors.InvalidParameterError: image: n must be at most 10, got 11. Nothing was sent or billed.
    """
    raise AssertionError


@_short_form(Tool.IMAGE_EDIT)
def edit_image(
    prompt: str | None = None,
    *,
    operation: str | None = None,
    image: Source | None = None,
    mask: Source | None = None,
    client: NovaKitClient | None = None,
    timeout: float | None = None,
    embed: Embed | None = None,
    autostart: bool = True,
    reuse: bool | None = None,
    **params: Any,
) -> JobWidget:
    """Edit an image. The parameters depend on the operation; the service does not document which they are.

    Args:
        prompt: A description of the change.
        operation: The kind of edit, such as ``"inpainting"``.
        image: A URL, a `pathlib.Path`, an open file, bytes, a Pillow image, an array of pixels, or a finished card or
            job.
        mask: Like ``image``. Inpainting needs one.

    Example:
        >>> edit_image("A red door", operation="inpainting", image="https://example.org/house.png")  # doctest: +ELLIPSIS
        Traceback (most recent call last):
        ...
        novakit_widgets.errors.InvalidParameterError: image_edit: mask is required for inpainting. ...
    """  # a doctest's output is one line
    raise AssertionError


@_short_form(Tool.TTS)
def speech(
    input: str,  # the service's own name
    *,
    model: str = "fal-ai/f5-tts",
    voice: str = "nova",
    speed: float = 1.0,
    response_format: str = "mp3",
    reference_audio: Source | None = None,
    reference_text: str | None = None,
    client: NovaKitClient | None = None,
    timeout: float | None = None,
    embed: Embed | None = None,
    autostart: bool = True,
    reuse: bool | None = None,
    **params: Any,
) -> JobWidget:
    """Generate speech from a text.

    Args:
        input: The text, at most 10,000 characters.
        model: The model.
        voice: ``"nova"``, ``"alloy"``, ``"echo"``, ``"fable"``, ``"onyx"``, ``"shimmer"``, or a voice of the model.
        speed: The speaking rate, 0.25 to 4.
        response_format: ``"mp3"``, ``"wav"``, ``"opus"`` or ``"aac"``.
        reference_audio: A voice to imitate: a URL, a `pathlib.Path`, or bytes.
        reference_text: The text of the reference audio.

    Example:
        >>> speech("")
        Traceback (most recent call last):
        ...
        novakit_widgets.errors.InvalidParameterError: tts: Enter the text to speak. Nothing was sent or billed.
    """
    raise AssertionError


@_short_form(Tool.STT)
def transcribe(
    file: Source,
    *,
    model: str = "fal-ai/whisper",
    language: str = "auto",
    response_format: str = "json",
    timestamp_granularities: Sequence[str] = ("segment",),
    diarization: bool = False,
    translation: bool = False,
    model_inputs: Mapping[str, Any] | None = None,
    client: NovaKitClient | None = None,
    timeout: float | None = None,
    embed: Embed | None = None,
    autostart: bool = True,
    reuse: bool | None = None,
    **params: Any,
) -> JobWidget:
    """Transcribe speech in an audio file.

    Args:
        file: The audio: a URL or base64 as text, a `pathlib.Path`, or bytes (at most 5 MB).
        model: The model.
        language: The language, such as ``"en"``.
        response_format: ``"json"``, ``"text"``, ``"srt"`` or ``"vtt"``.
        timestamp_granularities: ``"segment"``, ``"word"``, or both.
        diarization: Label the speakers.
        translation: Translate to English.
        model_inputs: Further parameters of the model.

    Example:
        >>> transcribe(b"")
        Traceback (most recent call last):
        ...
        novakit_widgets.errors.InvalidParameterError: stt: Choose an audio file or enter its URL. Nothing was sent or billed.
    """
    raise AssertionError


def attach(
    job_id: str,
    *,
    client: NovaKitClient | None = None,
    timeout: float | None = None,
    embed: Embed | None = None,
) -> JobWidget:
    """Pick up a job that was submitted earlier, in this kernel or another. It costs nothing.

    Args:
        job_id: The service's id, such as ``"job_abc123"``.
        client: See `JobWidget`.
        timeout: See `JobWidget`.
        embed: See `JobWidget`.

    Returns:
        A `JobWidget`, which shows itself, runs in the background, and can be awaited.

    Raises:
        InvalidParameterError: The id is not valid.
        MissingKeyError: There is no API key.

    Example:
        >>> attach("job_abc123")  # doctest: +SKIP
    """
    from ..widgets.card.widget import JobWidget

    return JobWidget.attach(job_id, client=client, timeout=timeout, embed=embed)
