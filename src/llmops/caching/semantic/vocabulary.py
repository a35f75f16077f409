"""The words that verification knows: what turns a question into another although it looks the same.

English is known well. Of German, French and Spanish the negations and the commonest words are known, of every language
numbers, names, quotes and scripts. Sets of words, no logic.
"""

STOPWORDS = frozenset(
    """a an the this that these those there here it its is are was were be been being am do does did done doing have has
    had having i me my mine we us our ours you your yours he him his she her hers they them their theirs one
    of in on at to from for with by as about into onto over under up down out off than then so and or but if when
    while what which who whom whose where why how can could should would will shall may might must
    please tell know want like need show give explain describe say let get way ways exactly actually really just also
    any some kind sort possible steps best good mean meaning called hi hello hey thanks thank kindly needs needed
    require requires required between tips process
    le la les des du de je puis un une mon ma mes comment ich kann man der die das ein eine mein meine wie""".split()
)
"""Words that two wordings of one question may or may not have."""

NEGATIONS = frozenset(
    """not no never none nothing nobody neither nor without cannot cant dont doesnt didnt isnt arent wasnt werent wont
    wouldnt shouldnt couldnt hasnt havent hadnt aint except excluding exclude unless lack lacks lacking avoid
    nicht kein keine keinen keiner keinem nie niemals ohne ausser außer
    ne pas sans jamais aucun aucune rien
    nunca sin tampoco ningún ninguna ninguno nada
    не нет без никогда""".split()
)

NEGATING_PREFIXES = ("un", "in", "im", "ir", "il", "dis", "non", "de", "mis", "anti")

OPPOSITES: tuple[tuple[str, str], ...] = tuple(
    (left, right)
    for left, _, right in (
        line.partition("/")
        for line in """to/from min/max minimum/maximum minimal/maximal minimize/maximize smallest/largest least/most
        fewest/most lowest/highest shortest/longest slowest/fastest cheapest/dearest worst/best
        increase/decrease increases/decreases increasing/decreasing increased/decreased raise/lower
        raise/reduce grow/shrink expand/shrink more/less more/fewer higher/lower larger/smaller
        bigger/smaller faster/slower longer/shorter older/newer older/younger better/worse
        before/after above/below over/under inside/outside in/out up/down left/right buy/sell
        bought/sold buying/selling import/export imports/exports upload/download push/pull
        send/receive lend/borrow give/take first/last start/end start/stop begin/end begin/stop
        open/close opening/closing opened/closed lock/unlock enable/disable enabled/disabled on/off
        add/remove add/subtract insert/delete create/delete install/uninstall attach/detach
        mount/unmount connect/disconnect log/unlog login/logout encrypt/decrypt encode/decode
        compress/decompress allow/deny allow/forbid allow/block accept/reject accept/decline
        approve/reject grant/revoke pass/fail succeed/fail success/failure win/lose winner/loser
        profit/loss gain/lose gain/loss hot/cold warm/cool heat/cool heating/cooling wet/dry
        light/dark light/heavy day/night morning/evening summer/winter young/old new/old early/late
        earliest/latest earlier/later past/future today/tomorrow today/yesterday yesterday/tomorrow
        always/never all/none everyone/nobody public/private internal/external input/output
        source/target parent/child sender/receiver employer/employee client/server buyer/seller
        landlord/tenant lender/borrower teacher/student husband/wife mother/father brother/sister
        son/daughter boy/girl man/woman men/women male/female king/queen positive/negative odd/even
        true/false yes/no ascending/descending horizontal/vertical row/column rows/columns
        width/height north/south east/west northern/southern eastern/western arrive/depart
        arrival/departure arrivals/departures join/leave deposit/withdraw debit/credit
        asset/liability legal/illegal safe/dangerous safe/unsafe healthy/unhealthy cause/cure
        advantages/disadvantages advantage/disadvantage pros/cons benefits/risks benefits/drawbacks
        risks/benefits synonym/antonym synonyms/antonyms read/write reads/writes empty/full odd/even
        include/exclude including/excluding with/without sync/async synchronous/asynchronous
        mutable/immutable static/dynamic single/married single/double domestic/foreign
        domestic/international personal/business adult/child adults/children born/died birth/death
        alive/dead hire/fire promote/demote gross/net upgrade/downgrade follow/unfollow
        subscribe/unsubscribe mute/unmute hide/show freeze/thaw rise/fall sunrise/sunset
        ingoing/outgoing incoming/outgoing inbound/outbound backward/forward
        clockwise/counterclockwise lower/upper lowercase/uppercase strong/weak major/minor
        majority/minority same/different""".split()
    )
)

GROUPS: dict[str, frozenset[str]] = {
    "day": frozenset("monday tuesday wednesday thursday friday saturday sunday weekday weekend".split()),
    "time": frozenset(
        "today tomorrow yesterday tonight now currently daily weekly monthly yearly annual hourly".split()
    ),
    "season": frozenset("spring summer autumn winter".split()),
    "whose": frozenset("my your his her their our".split()),
    "colour": frozenset("red green blue yellow black white brown orange purple pink grey gray".split()),
    "amount": frozenset("only all every each both half most none".split()),
    "comparison": frozenset("than versus vs".split()),
}
"""Words of which a question may hold another than its twin only if it is another question."""

MONTHS = {
    name: number
    for number, names in enumerate(
        """january jan
        february feb
        march mar
        april apr
        may
        june jun
        july jul
        august aug
        september sep sept
        october oct
        november nov
        december dec""".splitlines(),
        1,
    )
    for name in names.split()
}

NUMBER_WORDS = {
    word: number
    for number, word in enumerate(
        """zero _ two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen sixteen
        seventeen eighteen nineteen twenty""".split()
    )
    if word != "_"
} | dict(
    zip("thirty forty fifty sixty seventy eighty ninety dozen".split(), (30, 40, 50, 60, 70, 80, 90, 12), strict=True)
)
"""``one`` is left out: it mostly counts nothing."""

MULTIPLIERS = {"hundred": 100, "thousand": 1000, "million": 10**6, "billion": 10**9, "trillion": 10**12}

UNITS: dict[str, str] = {
    alias: names.split()[0]
    for names in """km kilometer kilometers kilometre kilometres
        m meter meters metre metres
        cm centimeter centimeters centimetre centimetres
        mm millimeter millimeters millimetre millimetres
        mile miles mi
        yard yards yd
        foot feet ft
        inch inches
        kg kilogram kilograms kilo kilos
        g gram grams gramme
        mg milligram milligrams
        lb lbs pound pounds
        oz ounce ounces
        ton tons tonne tonnes
        l liter liters litre litres
        ml milliliter milliliters millilitre millilitres
        gallon gallons gal
        cup cups
        tbsp tablespoon tablespoons
        tsp teaspoon teaspoons
        second seconds sec secs s
        minute minutes mins
        hour hours hr hrs h
        day days
        week weeks
        month months
        year years yr yrs
        ms millisecond milliseconds
        kb kilobyte kilobytes
        mb megabyte megabytes
        gb gigabyte gigabytes
        tb terabyte terabytes
        celsius centigrade
        fahrenheit
        kelvin
        % percent pct
        usd dollar dollars $ us$
        eur euro euros €
        gbp sterling £
        jpy yen ¥
        inr rupee rupees ₹
        watt watts w
        kw kilowatt kilowatts
        kwh
        mph
        kmh
        acre acres
        hectare hectares""".splitlines()
    for alias in names.split()
}
SHORT_UNITS = frozenset(alias for alias in UNITS if len(alias) <= 2) | {"sec", "mins", "gal", "ton", "second", "cup"}
"""Units only after a number: elsewhere they are other words."""

SYNONYMS: dict[str, str] = {
    alias: names.split()[0]
    for names in """fix repair resolve solve mend
        delete remove erase
        change modify update edit alter
        start begin launch
        end finish
        make create build generate produce
        obtain receive acquire
        buy purchase
        error issue problem fault
        fast quick quickly rapidly
        big large
        find locate
        cost price fee
        car automobile
        help assist support
        cancel terminate
        use utilize
        photo picture image
        movie film
        doctor physician
        kid child
        job occupation
        illness disease sickness
        choose select pick
        happen occur
        differ difference distinction
        reason cause
        main primary principal
        method approach technique
        company firm
        mobile cellphone smartphone
        email mail
        trip journey
        safe secure
        simple easy
        correct right
        wrong incorrect
        town city
        present gift
        website site
        learn study
        begin commence
        money cash
        phone telephone
        signin login""".splitlines()
    for alias in names.split()
}
"""Of words that are each other's stand-in in most questions, the first stands for all."""

LANGUAGES: dict[str, frozenset[str]] = {
    "en": frozenset("the is are what how do does of to in my for and can you i a it which when where why who".split()),
    "de": frozenset(
        "der die das ist sind wie was ich und ein eine mein meine wann wo warum wer kann zu für nicht".split()
    ),
    "fr": frozenset(
        "le la les est sont comment quel quelle je et un une mon ma quand où pourquoi qui puis des du".split()
    ),
    "es": frozenset(
        "el la los es son cómo como qué que cuál y un una mi cuándo dónde por quién puedo del para".split()
    ),
    "it": frozenset("il lo gli è sono come che quale e un una mio mia quando dove perché chi posso del per".split()),
    "pt": frozenset("o os é são como que qual e um uma meu minha quando onde porque quem posso do da para".split()),
    "nl": frozenset("de het is zijn hoe wat ik en een mijn wanneer waar waarom wie kan te voor van".split()),
}

ASKING: tuple[tuple[str, str], ...] = (
    ("how many", r"\bhow many\b|\bnumber of\b|\bcount of\b"),
    ("how much", r"\bhow much\b|\bhow expensive\b|\b(?:price|cost|fee)s?\b"),
    ("how long", r"\bhow long\b|\bduration\b|\bhow much time\b"),
    ("how often", r"\bhow often\b|\bhow frequently\b|\bhow regularly\b"),
    ("how far", r"\bhow far\b|\bdistance\b"),
    ("how old", r"\bhow old\b|\bwhat age\b|\bthe age of\b"),
    ("when", r"\bwhen\b|\b(?:what|which) (?:time|date|day|year|month|century)\b"),
    ("where", r"\bwhere\b|\b(?:what|which) (?:place|location)\b|\blocation of\b"),
    ("why", r"\bwhy\b|\bhow come\b|\breasons?\b|\bcauses?\b"),
    (
        "who",
        r"\bwho\b|\bwhom\b|\bwhose\b|\b(?:what|which) (?:person|people)\b|\bname of the (?:person|author|inventor)\b",
    ),
)
"""What is asked for, by how questions ask for it; the first that fits takes its words with it."""
