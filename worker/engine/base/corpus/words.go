package corpus

import "strings"

func list(s string) []string { return strings.Split(s, "|") }

// Word lists of the generator.
var (
	// Pairs of animals are drawn from animals alone: well-known fables are about pairs of the others.
	animals = list("Badger|Otter|Heron|Squirrel|Rabbit|Beaver|Sparrow|Pony|Kitten|Goose|Duck|Robin|Hen|Pigeon|Turtle|Parrot|Seal|Whale|Pengu" +
		"in|Swan|Puppy|Toad|Spider|Moth|Snail|Trout|Mare|Ferret|Moose|Panda|Lizard|Cricket|Magpie|Falcon|Buffalo|Walrus|Rooster|Q" +
		"uail|Zebra|Llama")
	classic = list("Fox|Wolf|Lion|Crow|Mouse|Cat|Dog|Frog|Goat|Eagle|Ass|Ox|Bee|Ant|Hare|Stag|Serpent|Horse|Sheep|Bat|Peacock|Elephant|Tiger" +
		"|Leopard|Jackal|Kite|Hawk|Gnat|Bull|Boar|Tortoise|Swallow|Stork|Rat|Flea|Oyster|Monkey|Camel|Crane|Weasel|Hedgehog|Beetl" +
		"e|Owl|Mole|Raven|Lamb|Calf|Kid|Cock|Bear|Mule|Vulture|Dolphin|Cow")
	people = list("Miller|Farmer|Shepherd|Baker|Fisherman|Tailor|Traveler|Merchant|Widow|King|Sailor|Gardener|Potter|Weaver|Smith|Old Man|" +
		"Old Woman|Boy|Girl|Prince|Judge|Soldier|Woodcutter|Carpenter|Milkmaid|Miser|Astronomer|Physician|Thief|Monk|Poet|Painter|Hunter|Servant|Master")
	things = list("Lantern|Bridge|Bell|Mirror|Well|Boat|Basket|Candle|Kettle|Hat|Ladder|Drum|Cart|Wheel|Coat|Key|Broom|Spoon|Pumpkin|Rope|Pebble|" +
		"Feather|Cloud|River|Mountain|Oak|Willow|Rose|Thorn|Reed|Stream|Hill|Tower|Market|Window|Garden|Mill|Barrel|Lamp|Pot|Jar|Treasure|Crown|Ring|Nest|" +
		"Wind|Sun|Moon|Star|Sea|Shadow|Plow|Sword|Trumpet|Bread|Cheese|Honey|Egg|Apple|Acorn|Bone|Fence|Gate|Net|Trap")
	places = list("in the deep wood|by the river|on a green hill|near the old mill|at the edge of the village|beside a quiet pond|in a dusty barn|" +
		"under a great oak|by the sea|in the king's garden|on a stony road|at the foot of the mountain|in the meadow|behind the farmhouse|along the shore")
	adjectives = list("little|proud|old|clever|lazy|hungry|kind|foolish|brave|greedy|gentle|young|vain|patient|cunning|timid|merry|weary|careless|honest|" +
		"stubborn|thin|fat|strong|weak|wise|cruel|jealous|humble|cheerful")
	foods = list("corn|berries|bread|cheese|fish|honey|apples|nuts|grain|clover|beans|turnips|milk|figs|grapes|mushrooms|eggs|seeds|meat|cabbage")
	names = list("Anna|Ben|Clara|Daniel|Emma|Felix|Grace|Henry|Ida|Jack|Kate|Leo|Mary|Ned|Olive|Peter|Rose|Sam|Tom|Vera|Will|Zoe|Maya|Omar|Lin|Ravi|Sofia|Noor")
	nouns = list("river|stone|lamp|cloud|garden|letter|window|silver|bridge|winter|summer|paper|music|forest|candle|market|harbor|island|ladder|mirror|" +
		"basket|button|camera|dinner|engine|feather|hammer|jacket|kitchen|lemon|mountain|needle|orange|pencil|rabbit|saddle|table|umbrella|village|wagon|" +
		"yellow|anchor|bottle|copper|dragon|elbow|finger|gold|honey|ink|jungle|key|leaf|moon|nest|ocean|pepper|queen|rope|sugar|tower|valley|whistle|zebra")
	virtues = list("kindness|patience|honesty|courage|wisdom|modesty|prudence|gratitude|diligence|friendship|mercy|truth|hope|loyalty|contentment|" +
		"humility|trust|freedom|justice|generosity|faith|love|care|skill|reason|practice|unity|labor|thrift|silence")
	vices = list("pride|greed|flattery|envy|anger|vanity|idleness|deceit|haste|folly|boasting|cruelty|malice|fear|ignorance|ingratitude|selfishness|" +
		"stubbornness|jealousy|cunning|treachery|luxury|violence|force|scorn|carelessness|evil|doubt|hatred|gossip")
	doers = list("the proud|the strong|the greedy|the idle|the wise|the weak|fools|liars|thieves|friends|enemies|flatterers|the poor|the rich|cowards|" +
		"the great|the humble|good neighbors|the ungrateful|those in power|those who boast|those who wait|those who work|evil companions|the young|" +
		"braggarts|tyrants|masters and servants|clever people|honest folk")
	deeds = list("help others|keep their promises|think before they act|trust strangers|listen to advice|boast of their deeds|take what is not theirs|" +
		"forget a kindness|despise small things|work while it is day|share what they have|tell the truth|measure before they cut|envy their neighbors|" +
		"follow the crowd|want too much|wear a borrowed face|mock the unlucky|prepare for the future|do their own work|" +
		"run after every fashion|play tricks on others|put off until evening what is due at noon|choose their companions with care|spend before they earn|" +
		"learn from the mistakes of others|stand together|bear a grudge|give up too soon|mind their own business")
	ends = list("will be repaid in the end|are soon forgotten|come to grief|find their reward|lose what they have|are never content|sleep in peace|" +
		"pay for it later|gain many friends|must bear the blame|deserve no pity|are seldom believed|have nothing to fear|are easily deceived|" +
		"get the least|will be caught at last|win the day|leave a good memory|may lose all|bring trouble upon themselves")
	goods = list("a small gift|a true friend|a quiet life|a clear conscience|a little bread|a safe home|a good name|honest work|one good deed|a plain coat|" +
		"a warm hearth|a kind word|an early start|a dry roof|a sound night's sleep|good sense|a steady pace|a wise enemy|a humble table")
	bads = list("a grand promise|a false friend|a troubled house|a full purse|a great banquet|a palace|fine clothes|idle talk|a hundred wishes|" +
		"an empty boast|an idle dream|a gilded chair|a heavy crown|beauty|great strength|a foolish friend|sharp words|empty praise|great wealth")
)
