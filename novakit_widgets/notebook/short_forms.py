"""One function for each tool, with the documented parameters' names and defaults in its signature.

The defaults that a signature shows are the service's. They are not sent: what you do not say is left out, so the service
decides, today and after it has changed its mind.
"""

from __future__ import annotations

import functools
import inspect
from typing import TYPE_CHECKING, Any, ParamSpec

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
# What a short form takes for the widget rather than for the service.
_OURS = ("client", "timeout", "embed", "autostart", "reuse")

_NOTE = """
    {which} ``None`` says nothing. Other keywords are passed on as they are, except those that are a slip of one of these.
    ``client``, ``timeout`` (seconds to watch), ``embed``, ``autostart`` and ``reuse`` are those of `JobWidget`.

    Returns:
        A `JobWidget`, which shows itself, runs in the background, and can be awaited.

    Raises:
        InvalidParameterError: the documentation forbids a value. Nothing was sent or billed.
        TypeError: a keyword is nearly a documented one.
        MissingKeyError: there is no API key.
"""


def _short_form(tool: Tool) -> Callable[[Callable[_P, JobWidget]], Callable[_P, JobWidget]]:
    """Make a short form of a signature: only what the caller said is sent."""

    def decorate(described: Callable[_P, JobWidget]) -> Callable[_P, JobWidget]:
        signature = inspect.signature(described)

        @functools.wraps(described)
        def short_form(*args: _P.args, **kwargs: _P.kwargs) -> JobWidget:
            given = dict(signature.bind(*args, **kwargs).arguments)
            others = given.pop("params", {})
            check_names(tool, others, called=f"{described.__name__}()", ours=_OURS)
            ours = {name: given.pop(name) for name in _OURS if name in given}
            return _widget(tool, {**given, **others}, ours)

        text = inspect.cleandoc(described.__doc__ or "")
        note = inspect.cleandoc(_NOTE.format(which="Only what you say is sent; a default shown is the service's own."))
        short_form.__doc__ = f"{text}\n\n{note}\n"
        return short_form

    return decorate


def _widget(tool: Tool, params: Mapping[str, Any], ours: Mapping[str, Any]) -> JobWidget:
    from ..widgets.card.widget import JobWidget

    return JobWidget(tool, params, **ours)


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
    """Make a video.

    Args:
        prompt: what to make, in words.
        model: the model that makes it.
        duration_seconds: how long the video is.
        resolution: ``"720p"``, ``"1080p"`` or ``"4k"``.
        fps: frames a second, 30 or 60.
        aspect_ratio: ``"16:9"``, ``"9:16"``, ``"1:1"``, ``"4:3"`` or ``"3:4"``.
        mode: ``"text_to_video"``, ``"image_to_video"`` or ``"video_to_video"``.
        source_image: the image to start from, for ``image_to_video``: a URL, a file as a `pathlib.Path`, its bytes, or a picture of
            Pillow.
        source_video: the video to start from, for ``video_to_video``: a URL, a file or its bytes.
        negative_prompt: what to keep out of it.
        seed: the same seed and prompt give the same result.
        prompt_optimizer: let the service improve the prompt.
        loop: make the end meet the beginning.

    Example:
        >>> video("A sunset over mountains", fps=29)
        Traceback (most recent call last):
        ...
        novakit_widgets.errors.InvalidParameterError: video: fps must be 30 or 60, got 29. Nothing was sent or billed.
    """
    raise AssertionError  # the decorator sends what was said


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
    """Make music.

    Args:
        prompt: what to make, in words.
        model: the model that makes it.
        duration_seconds: how long the music is; at most 47 with the default model, 60 with the others.
        mode: ``"text_to_music"`` or ``"audio_to_audio"``.
        source_audio: the sound to start from, for ``audio_to_audio``: a URL, a file as a `pathlib.Path`, or its bytes.
        output_format: ``"mp3"`` or ``"wav"``.
        negative_prompt: what to keep out of it.
        model_inputs: what else the model takes.

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
    """Make images.

    Args:
        prompt: what to make, in words.
        model: the model that makes it.
        size: width x height in pixels, such as ``"1024x1024"``.
        n: how many, 1 to 10.
        style: ``"vivid"`` or ``"natural"``.
        upscale: ``"2x"`` or ``"4x"``.
        negative_prompt: what to keep out of it.
        seed: the same seed and prompt give the same result.

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
    """Edit an image. The service documents that the parameters depend on the operation, but not which they are.

    Args:
        prompt: what to change, in words.
        operation: which edit, such as ``"inpainting"``.
        image: a URL, a file as a `pathlib.Path`, its bytes, or a picture of Pillow.
        mask: likewise; inpainting needs one.

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
    """Say a text.

    Args:
        input: what to say, at most 10,000 characters.
        model: the model that says it.
        voice: ``"nova"``, ``"alloy"``, ``"echo"``, ``"fable"``, ``"onyx"``, ``"shimmer"``, or one of the model's own.
        speed: 0.25 to 4.
        response_format: ``"mp3"``, ``"wav"``, ``"opus"`` or ``"aac"``.
        reference_audio: a voice to imitate: a URL, a file as a `pathlib.Path`, or its bytes.
        reference_text: what the reference says.

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
    """Write down what is said in a sound.

    Args:
        file: the sound: a URL or base64 as text, a file as a `pathlib.Path`, or its bytes (at most 5 MB).
        model: the model that listens.
        language: such as ``"en"``.
        response_format: ``"json"``, ``"text"``, ``"srt"`` or ``"vtt"``.
        timestamp_granularities: ``"segment"``, ``"word"``, or both.
        diarization: tell the speakers apart.
        translation: translate to English.
        model_inputs: what else the model takes.

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
        job_id: the service's id, such as ``"job_abc123"``.
        client: speaks to the service; where it is left out, one is made from the settings.
        timeout: seconds to watch; the default is the tool's.
        embed: where the finished media go; see `JobWidget`.

    Returns:
        A `JobWidget`, which shows itself, runs in the background, and can be awaited.

    Raises:
        InvalidParameterError: it is no job id.
        MissingKeyError: there is no API key.

    Example:
        >>> attach("job_abc123")  # doctest: +SKIP
    """
    from ..widgets.card.widget import JobWidget

    return JobWidget.attach(job_id, client=client, timeout=timeout, embed=embed)
