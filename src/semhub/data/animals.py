"""Which animal the label of a sound names, and whether it is a mammal. Knows words alone, no sound and no task."""

import re

# Phrases that hold an animal's word and name none of these animals.
NO_ANIMAL = ("mouse clicking", "mouse click", "computer mouse", "cuckoo clock", "hot dog", "teddy bear")
MAMMALS = frozenset(
    """alpaca antelope ape ass baboon badger bear beaver bison boar bobcat buffalo bull calf camel cat cattle cheetah chimpanzee
    chinchilla chipmunk cougar cow coyote deer dingo dog dolphin donkey elephant elk ferret fox gibbon giraffe goat gorilla hamster hare
    hedgehog hippopotamus horse hyena jackal jaguar kangaroo kitten koala lamb lemur leopard lion llama lynx marmot meerkat mole mongoose
    monkey moose mouse mule orangutan orca otter ox panda panther pig piglet pony porcupine porpoise puma puppy rabbit raccoon rat reindeer
    rhinoceros seal sheep skunk sloth squirrel tiger walrus weasel whale wolf yak zebra""".split()
) | {"sea lion", "guinea pig"}
OTHERS = frozenset(
    """alligator bee bird blackbird bluebird bluejay bullfrog bumblebee canary cardinal chick chickadee chicken cicada cockatoo cockerel
    cormorant cricket crocodile crow cuckoo dinosaur dove duck duckling eagle falcon finch flamingo fly fowl francolin frog gecko goose
    grasshopper grouse gull hawk hen heron hornet housefly hummingbird iguana jay katydid kingfisher kookaburra lark lizard locust macaw
    magpie mockingbird mosquito mynah nightingale oriole osprey ostrich owl parakeet parrot partridge peacock pelican penguin pheasant
    pigeon quail rattlesnake raven robin rooster seagull shark snake sparrow starling stork swallow swan tern thrush toad tortoise toucan
    turkey turtle vulture warbler wasp woodpecker wren""".split()
) | {"blue jay"}
SINGULAR = {"calves": "calf", "geese": "goose", "mice": "mouse", "oxen": "ox", "wolves": "wolf", "flies": "fly", "canaries": "canary"}
PHRASES = tuple(each for each in sorted(MAMMALS | OTHERS) if " " in each)


def animals_in(label: str) -> list[str]:
    """The animals that a label names, one of each, in the singular and in order ("lions roaring" -> lion)."""
    said = " ".join(map(singular, re.findall(r"[a-z]+", label.lower())))
    for phrase in NO_ANIMAL:
        said = re.sub(rf"\b{phrase}\b", " ", said)
    words = re.findall("|".join((*(rf"\b{each}\b" for each in PHRASES), r"\w+")), said)
    return list(dict.fromkeys(word for word in words if word in MAMMALS or word in OTHERS))


def singular(word: str) -> str:
    """The animal of a plural; any other word as it is."""
    known = (SINGULAR.get(word, word), word.removesuffix("s"), word.removesuffix("es"))
    return next((each for each in known if each in MAMMALS or each in OTHERS), word)


def is_mammal(label: str) -> bool | None:
    """Whether all animals that a label names are mammals (True) or none is (False); None where it names none, or some of both."""
    kinds = {animal in MAMMALS for animal in animals_in(label)}
    return kinds.pop() if len(kinds) == 1 else None
