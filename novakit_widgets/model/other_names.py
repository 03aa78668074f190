"""The names that other services give to the parameters of this one.

Collected from the Python SDKs and API references of fal, Replicate, OpenAI, Runway, Google (google-genai), Stability AI, Luma and
ElevenLabs, and of the models that they host. Without this table such a name is sent, ignored by the service, and billed.
"""

from __future__ import annotations

from types import MappingProxyType
from typing import TYPE_CHECKING

from .tools import Tool

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["ADVICE", "OTHER_NAMES"]

_PROMPT = (
    "text prompts_text positive_prompt user_prompt text_prompt text_prompts prompt_text prompts "
    "description caption input query"
)
_NEGATIVE = "negative uncond_prompt prompt_negative neg_prompt negative_text negative_prompts negatives exclude avoid"
_SEED = "seed_value initial_seed random_seed noise_seed rng_seed manual_seed seeds"
_MODEL = "model_id model_name model_version engine engine_id"
_DURATION = (
    "duration duration_s duration_sec duration_secs duration_in_seconds length length_seconds length_s seconds secs "
    "seconds_total total_seconds video_length video_duration audio_length audio_duration music_length music_length_ms "
    "duration_ms num_seconds length_in_seconds num_frames clip_length clip_duration audio_length_in_s n_seconds max_duration "
    "song_length track_length num_output_frames frame_count frames"
)
_IMAGE = (
    "image_url image_urls image_uri init_image input_image input_image_url init_image_url prompt_image start_image start_image_url "
    "first_frame first_frame_url first_frame_image start_frame image_path image_file img source_image_url reference_image "
    "reference_image_url image_prompt input_reference input_images init_images image_list image_uris image_bytes image_base64 "
    "base_image starting_image starting_image_url start_image_uri first_image first_frame_image_url keyframe keyframes "
    "reference_images reference_image_urls image_prompt_url subject_reference conditioning_image"
)
_VIDEO = (
    "video video_urls video_path video_bytes reference_videos base_video start_video video_url video_uri "
    "input_video input_video_url init_video prompt_video source_video_url reference_video video_file"
)
_AUDIO = (
    "audio audio_path audio_bytes melody melody_url reference_audio reference_audio_url audio_url "
    "audio_uri input_audio init_audio source_audio_url prompt_audio audio_file"
)
_FORMAT = "format audio_format file_format audio_encoding output_mime_type mime_type encoding"
_SIZE = (
    "width height image_size image_dimensions dimensions target_size resolution aspect_ratio ratio "
    "image_width image_height image_resolution output_resolution output_size megapixels"
)
_COUNT = (
    "num_images n_images number_of_images num_outputs number_of_outputs num_results number_of_results num_samples samples "
    "n_samples count num quantity batch_size image_count sample_count images_per_prompt num_images_per_prompt n_iter variations"
)


def _names(**words: str) -> Mapping[str, str]:
    return MappingProxyType({other: name for name, others in words.items() for other in others.split()})


OTHER_NAMES: Mapping[Tool, Mapping[str, str]] = MappingProxyType(
    {
        Tool.VIDEO: _names(
            prompt=_PROMPT,
            model=_MODEL,
            duration_seconds=_DURATION,
            resolution=(
                "width height size quality video_quality video_size dimensions video_resolution "
                "target_resolution output_resolution video_dimensions video_width video_height"
            ),
            fps="frame_rate framerate frames_per_second frame_per_second video_fps output_fps target_fps fps_id",
            aspect_ratio="ratio aspect ar orientation video_aspect_ratio video_ratio output_ratio",
            source_image=f"image {_IMAGE}",
            source_video=_VIDEO,
            negative_prompt=_NEGATIVE,
            seed=_SEED,
            prompt_optimizer=(
                "enhance_prompt prompt_enhancer prompt_enhance expand_prompt prompt_expansion enable_prompt_expansion "
                "prompt_upsampling magic_prompt optimize_prompt prompt_optimization prompt_optimizer_enabled "
                "magic_prompt_option prompt_extend extend_prompt enhanced_prompt use_prompt_enhancer "
                "prompt_enhancement rewrite_prompt"
            ),
            loop="looping seamless seamless_loop loop_video is_loop perfect_loop",
        ),
        Tool.MUSIC: _names(
            prompt=f"{_PROMPT} tags style lyrics_prompt",
            model=_MODEL,
            duration_seconds=_DURATION,
            source_audio=_AUDIO,
            output_format=f"{_FORMAT} response_format",
            negative_prompt=_NEGATIVE,
            model_inputs="model_input model_parameters model_params extra_body cfg cfg_scale",
        ),
        Tool.IMAGE: _names(
            prompt=_PROMPT,
            model=_MODEL,
            size=_SIZE,
            n=_COUNT,
            style="style_preset style_type preset image_style style_name preset_style art_style",
            upscale="upscale_factor upscaling upscaler upscale_image enable_upscale scale_factor",
            negative_prompt=_NEGATIVE,
            seed=_SEED,
        ),
        Tool.IMAGE_EDIT: _names(
            prompt=f"{_PROMPT} instruction instructions edit_instruction edit_prompt",
            operation="edit_mode edit_type op action edit_operation edit",
            image=f"source_image {_IMAGE}",
            mask=(
                "mask_url mask_image mask_image_url mask_uri mask_file mask_path mask_bytes mask_base64 "
                "inpaint_mask mask_prompt_image"
            ),
        ),
        Tool.TTS: _names(
            input=(
                "text prompt script content gen_text text_input say words transcript target_text tts_text "
                "text_to_speak speech_text"
            ),
            model=_MODEL,
            voice="voice_id voice_name speaker speaker_id voice_preset voice_type speaker_name preset_voice voice_uuid",
            speed="rate speaking_rate speech_rate voice_speed playback_speed tempo pace speech_speed",
            response_format=f"{_FORMAT} output_format",
            reference_audio=(
                "audio audio_url audio_prompt audio_prompt_path ref_audio ref_audio_url reference_audio_url speaker_wav "
                "voice_sample reference_voice clone_audio ref_audio_path reference_audio_uri speaker_audio speaker_audio_url "
                "spk_audio_prompt audio_prompt_url voice_url prompt_wav prompt_audio prompt_audio_url"
            ),
            reference_text="ref_text reference_transcript prompt_text ref_transcript reference_prompt",
        ),
        Tool.STT: _names(
            file=(
                "audio audio_url audio_uri audio_file audio_path file_path file_string file_uri media "
                "file_url url uri media_url source_url source_audio source_file input input_audio path filename recording"
            ),
            model=_MODEL,
            language="lang language_code language_codes source_language source_lang spoken_language audio_language",
            response_format=f"{_FORMAT} output_format transcription transcription_format output",
            timestamp_granularities=(
                "timestamps timestamp word_timestamps return_timestamps timestamp_granularity timestamps_granularity chunk_level "
                "granularity enable_word_time_offsets word_level_timestamps"
            ),
            diarization=(
                "diarize diarise diarise_audio diarize_audio speaker_labels enable_diarization speaker_diarization "
                "enable_speaker_diarization speakers num_speakers"
            ),
            translation="translate translate_to_english translation_to_english",
            model_inputs="model_input model_parameters model_params extra_body",
        ),
    }
)
"""For each tool, the documented name by the name that somebody else uses for it."""

_VIDEO_COUNT = "num_videos number_of_videos n_videos video_count num_tracks number_of_tracks num_clips"
_SEVERAL = ": one job makes one result; for several use nk.batch()."
_ONE_EACH = MappingProxyType(dict.fromkeys(f"n {_COUNT} {_VIDEO_COUNT}".split(), _SEVERAL))

ADVICE: Mapping[Tool, Mapping[str, str]] = MappingProxyType(
    {
        Tool.VIDEO: _ONE_EACH,
        Tool.MUSIC: _ONE_EACH,
        Tool.IMAGE: MappingProxyType(
            dict.fromkeys(f"image {_IMAGE}".split(), ": to start from an image use nk.edit_image().")
        ),
        Tool.IMAGE_EDIT: _ONE_EACH,
        Tool.TTS: _ONE_EACH,
        Tool.STT: _ONE_EACH,
    }
)
"""For each tool, what to do instead for names that no parameter of this service stands for."""
