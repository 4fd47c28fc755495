"""Who works on the simulated cluster, and what they call their jobs."""

from dataclasses import dataclass


@dataclass(frozen=True)
class User:
    """A person and the account that pays for the jobs."""

    name: str
    team: str


USERS = (
    User("mkowalski", "vision"),
    User("achen", "vision"),
    User("rpatel", "vision"),
    User("linh", "vision"),
    User("sgarcia", "language"),
    User("tnakamura", "language"),
    User("okafor", "language"),
    User("ebrandt", "language"),
    User("zhaoy", "language"),
    User("dmoreau", "speech"),
    User("hlarsen", "speech"),
    User("nadia", "speech"),
    User("jruiz", "robotics"),
    User("pvolkov", "robotics"),
    User("kim.sj", "robotics"),
    User("ftremblay", "bio"),
    User("amina", "bio"),
    User("gweiss", "bio"),
    User("cobrien", "platform"),
    User("ysato", "platform"),
)

# How much each team asks for, relative to the others.
TEAM_WEIGHT = {
    "vision": 1.0,
    "language": 1.5,
    "speech": 0.8,
    "robotics": 0.8,
    "bio": 0.7,
    "platform": 0.4,
}

# Fair share as the scheduler's priority sees it: larger is served first.
TEAM_PRIORITY = {
    "vision": 300,
    "language": 200,
    "speech": 400,
    "robotics": 400,
    "bio": 500,
    "platform": 600,
}

PROJECTS = {
    "vision": ("segment", "depth", "detr", "video-tok", "clip-distill"),
    "language": ("sft-8b", "pretrain-3b", "reward", "longctx", "moe-ablate"),
    "speech": ("asr-conformer", "tts-flow", "diarize", "codec"),
    "robotics": ("policy-bc", "grasp", "sim2real", "worldmodel"),
    "bio": ("fold", "docking", "protein-lm", "cryoem"),
    "platform": ("nccl-bench", "image-ci", "embed-index"),
}
