"""Whether a text gives a method: of suicide, self-harm, disordered eating, of hiding them, or of making a weapon.

The lists are made of names, units and verbs; nothing in them tells how. They catch too much on purpose. A disclosure that
names a means ("I keep looking at my pills") gives no method; an amount, a way, a source or a comparison does.
"""

from __future__ import annotations

_DRUG = (
    r"(?:paracetamol|acetaminophen|tylenol|panadol|ibuprofen|advil|aspirin|aleve|naproxen|benadryl"
    r"|diphenhydramine|dxm|dextromethorphan|nyquil|unisom|melatonin|sleeping (?:pills?|tablets?|meds)"
    r"|ambien|zolpidem|lunesta|xanax|alprazolam|valium|diazepam|klonopin|clonazepam"
    r"|ativan|lorazepam|benzos?|benzodiazepines?|barbiturates?|opioids?|opiates?|oxy(?:codone|contin)?"
    r"|percocet|vicodin|hydrocodone|morphine|codeine|tramadol|fentanyl|heroin|methadone|insulin|potassium"
    r"|digoxin|warfarin|propranolol|beta blockers?|metoprolol|verapamil"
    r"|amitriptyline|nortriptyline|tricyclics?|lithium|seroquel|quetiapine|gabapentin|lyrica|pregabalin"
    r"|bupropion|wellbutrin|zoloft|sertraline|prozac|fluoxetine|lexapro|citalopram|celexa|effexor"
    r"|venlafaxine|cymbalta|paxil|trazodone|remeron|mirtazapine|adderall|ritalin|vyvanse"
    r"|antidepressants?|painkillers?|pills?|tablets?|capsules?|caps|meds|medication|caffeine|nicotine"
    r"|antifreeze|bleach|laxatives?|diuretics?|diet pills?|ephedrine|clenbuterol|dnp|nitrite|nitrate"
    r"|cyanide|alcohol|vodka|whiskey|ketamine|ghb|cocaine|meth|mdma)"
)
_NUMBER = (
    r"(?:\d[\d.,]*k?|ten|fifteen|twenty|thirty|forty|fifty|sixty|seventy|eighty|ninety|hundred"
    r"|two hundred|dozen|dozens|handful|whole bottle|entire bottle|full bottle)"
)
_UNIT = (
    r"(?:mg|mgs|milligrams?|mcg|ug|micrograms?|g|grams?|gm|ml|mls|cc|units?|iu|ounces?|oz|pills?|tablets?"
    r"|tabs?|capsules?|caps|doses?|bottles?|packs?|boxes|blisters?|shots)"
)
_MANY = (
    r"(?:1\d|[2-9]\d|\d{3,}|ten|fifteen|twenty|thirty|forty|fifty|sixty|seventy|eighty|ninety|hundred"
    r"|two hundred|dozens?|handfuls?)"
)
_DIE = (
    r"(?:die|dying|death|dead|suicide|suicidal|kill|killing|kills|end it|end my life|end your life"
    r"|end their life|overdose|overdosing|od|fatal|lethal|deadly|ctb|unalive|hang|hanging|pass away"
    r"|not wake up|never wake up|bleed out)"
)
_SELF = r"(?:my ?self|your ?self|him ?self|her ?self|them ?selves|one ?self|my life|your life|someone)"
_CUT = (
    r"(?:cuts|scars?|cutting|wounds?|self ?harm(?:ing)?|bruises|marks|burns|wrists?|arms?|thighs?"
    r"|binge[a-z]*|purg[a-z]*|vomit[a-z]*|throwing up|weight loss|eating disorder|ed|not eating|starving"
    r"|fasting|food|meals?|calories)"
)

#: Taken out first.
NOT_METHOD: tuple[str, ...] = (
    r"how(?: [!-~]+){0,3} (?:feels?|felt)",
    (
        r"how (?:much|bad|badly|long|often|many times|deeply) (?:i|he|she|they|we|you|people|it|this|that"
        r"|my [a-z]+)(?: [!-~]+){0,3} (?:want|wants|wanted|wish|hate|hates|feel|feels|think|hurt|hurts|love"
        r"|loves|miss|need)"
    ),
    (
        r"i(?:ve)?(?: always| have to| have| just| still| try to| used to| also| usually)* (?:hide|hid|hiding"
        r"|cover|covered|hidden)(?: up)? (?:my|the|them|it|all)|covered (?:in|by|with)|drug store"
        r"|pain ?killer (?:addict[a-z]*|addiction)|(?:die|dying|death|kill(?:s|ed|ing)?) (?:of"
        r"|from) (?:cancer|covid|laughing|embarrassment|boredom)|ways? to (?:kill|die) (?:time|bugs|weeds"
        r"|germs|mosquitos?|for)"
    ),
)
#: A sentence of a prescription: its doses count only beside :data:`DEADLY` words of the same sentence, or when there are many pills.
PRESCRIBED: tuple[str, ...] = (
    (
        r"prescribed?|prescription|prescribes|psych(?:iatrist)?|doctor|dr|docs?|pdoc|gp|(?:a|per|every|each"
        r"|once|twice|times) ?(?:a )?(?:day|daily|night|morning|week)|daily|nightly|been on|im on|i am on"
        r"|was on|on|dosage|titrat[a-z]*|taper[a-z]*|up to|upped|increased?|decreased?|started|starting"
        r"|side effects?|for my|been taking|currently taking|i take|taking|switched|put me on|regimen|days"
        r"|weeks|months|withdrawal|cold turkey"
    ),
)
#: An amount of a drug.
DOSES: tuple[str, ...] = (
    rf"{_NUMBER} ?{_UNIT}(?: of| worth of| each| x)?(?: [!-~]+){{0,3}} {_DRUG}",
    rf"{_DRUG}(?: [!-~]+){{0,4}} {_NUMBER} ?{_UNIT}",
)
#: An amount no prescription has.
MANY: tuple[str, ...] = (
    (
        rf"{_MANY}(?: (?:of|my|the|those|these|more|extra|strong|sleeping|small|little|mg|different|full"
        rf"|whole|[a-z]+s?)){{0,3}} (?:pills?|tablets?|capsules?|caps|tabs|painkillers|sleeping pills|tylenol"
        rf"|advil|ibuprofen|paracetamol|aspirin|benadryl|xanax|ambien)|bottles? of (?:sleeping |pain |my "
        rf"|the |her |his )?(?:pills|painkillers|tylenol|advil|ibuprofen|paracetamol|aspirin|benadryl|xanax"
        rf"|ambien|meds|medication)|(?:took|take|taken|taking|swallowed)(?: [!-~]+){{0,2}} \d{{4,}} ?mgs?"
        rf"|(?:can|could|would|will|how)(?: [a-z]+){{0,2}} (?:you|i|one|it|to|someone) (?:od|overdose) (?:on"
        rf"|with|from)|(?:whole|entire|full) (?:bottle|pack|box) of (?:[a-z]+ )?{_DRUG}|(?:pills?|tablets?"
        rf"|capsules?|tylenol|advil|ibuprofen|paracetamol|aspirin|benadryl|xanax"
        rf"|ambien)(?: [!-~]+){{0,3}} {_MANY} (?:pills|tablets|of them)|\d{{4,}} ?mgs?(?: of)? (?:tylenol"
        rf"|advil|ibuprofen|paracetamol|acetaminophen|aspirin|benadryl|diphenhydramine)"
    ),
)
#: Asks where to get something; a method where the text speaks of death and of :data:`MEANS`.
SOURCE: tuple[str, ...] = (
    (
        r"(?:where|places?|stores?|shops?|walmart|amazon|ebay|online|dealers?|pharmacy|site"
        r"|website)(?: [!-~]+){0,5} (?:buy|get|sells?|order|purchase|find|obtain)(?: [!-~]+){0,3} (?:one|some"
        r"|it|them|those|guns?|pistols?|shotguns?|ropes?|pills|meds|drugs|poison|helium|nitrogen|razors?"
        r"|blades?)|(?:does|do|can|could)(?: [!-~]+){0,3} (?:sell|order|buy|get)(?: [!-~]+){0,2} (?:them|one"
        r"|it|guns?|pills|rope|poison) (?:in|at|from|online|without|over the counter)"
    ),
)
#: Means of suicide.
MEANS: tuple[str, ...] = (
    (
        r"guns?|pistols?|shotguns?|rifles?|ropes?|pills?|poison|drugs?|helium|nitrogen|charcoal|razors?"
        r"|blades?|nitrite|meds|overdose"
    ),
)
#: Words of death in the same text; a dose beside them is a method whoever prescribed it.
DEADLY: tuple[str, ...] = (
    _DIE,
    (
        r"self ?harm|hurt (?:my|your)self|purg(?:e|ing)|starv(?:e|ing)|get high|high off|trip|tripping"
        r"|recreational(?:ly)?|snort(?:ing|ed)?|inject(?:ing|ed)?"
    ),
)

#: Each alone gives a method (or asks for one).
METHOD: dict[str, tuple[str, ...]] = {
    "lethality": (
        (
            r"(?:lethal|fatal|deadly|overdose|toxic)(?: [!-~]+){0,1} (?:dose|doses|dosage|combination|cocktail"
            r"|threshold)|(?:lethal|fatal|deadly) (?:amounts?|quantit[a-z]+|level|levels|mix|concentration)"
            r"|ld ?50|(?:dose|dosage|amount|enough|number)(?: of [!-~]+| pills| tablets| meds){0,1} (?:to|will"
            r"|would|that|can|could)(?: [!-~]+){0,2} (?:kill (?:me|you|your ?self|my ?self|a|an|someone|him|her"
            r"|them)|kill$|die|be (?:lethal|fatal|deadly)|overdose|od|end (?:it|my life|your life))"
        ),
        (
            rf"(?:how (?:much|many|long|high|deep|far|tall)|what (?:amount|dose|dosage|height|drug|drugs|pills"
            rf"|medication|combination|kind of pills))(?: [!-~]+){{0,6}} (?:to|will|would|could|can|before|until"
            rf"|does it take|do i|should i|do you)(?: [!-~]+){{0,2}} (?:{_DIE})|(?:how much"
            rf"|how many)(?: [!-~]+){{0,3}} {_DRUG}(?: [!-~]+){{0,4}} (?:take|need|enough|safe|to)|(?:is|are"
            rf"|would|will)(?: [!-~]+){{0,4}} enough (?:pills|tablets|meds|to (?:kill|die|do it|end|overdose))"
            rf"|enough (?:pills|tablets) to"
        ),
        (
            r"(?:painless|painlessly|pain free|quick|quickest|quickly|quicker|easy|easiest|easier|easily|fast"
            r"|fastest|least painful|less painful|peaceful|peacefully|most peaceful|effective|most effective"
            r"|surest|foolproof|guaranteed|reliable|most reliable|best|simplest|cheapest|cleanest|efficient|other"
            r"|many|different|several|another|better|which|any)(?: [!-~]+){0,2} (?:ways?|methods?|means|options?"
            r"|techniques?)(?: out)?(?: [!-~]+){0,4} (?:die|dying|commit|suicide|kill (?:my ?self|your ?self"
            r"|him ?self|her ?self)|end (?:it|my life|your life|it all)|overdose|hang my ?self|off my ?self)"
            r"|(?:painless|painful|peaceful|quick|quickest|easiest)(?: [!-~]+){0,1} (?:ways?|methods?) to go"
            r"|ways? (?:to|of|for)(?: [!-~]+){0,2} (?:kill(?:ing)? (?:my|your) ?self|commit(?:ting)? suicide"
            r"|(?:end|ending) (?:it all|my life|your life))|way to die and|(?:find|looking for|want|need|know"
            r"|desire|wish|is|any|some|me)(?: [!-~]+){0,5} (?:easy|easier|quick|quicker|painless|pain free"
            r"|painfree|simple|fast|peaceful)(?: and [a-z]+)? ways? (?:out|to end it|to go)|(?:ways?|methods?"
            r"|options?)(?: [!-~]+){0,2} (?:i|you|one) (?:can|could|would|might|may) (?:go|die|do it)"
        ),
        (
            r"(?:suicide|self ?harm|self ?injury|hanging|overdose) (?:methods?|techniques?|tips|guides?"
            r"|instructions?|kits?|manuals?|pact|bag)|(?:methods?|means) (?:of|to|for)(?: [!-~]+){0,2} (?:suicide"
            r"|self ?harm|die|dying|kill(?:ing)? (?:my|your)|commit(?:ting)?|end(?:ing)? (?:it all|my|your"
            r"|ones?))|(?:methods?|way) of killing (?:my|your|one)"
        ),
        (
            rf"(?:more|less|most|least|very|highly|pretty|too|isnt|not)(?: very| as| so| always)? (?:lethal|fatal"
            rf"|survivable)(?: [!-~]+){{0,6}} (?:than|method|dose|overdose|pills|jump|hang[a-z]*|gun|attempt|way"
            rf"|if)|(?:jump|hang|overdose|pills?|gun|cutting|drown)[a-z]*(?: [!-~]+){{0,4}} (?:lethal|fatal"
            rf"|deadly|survivable)|(?:survival|fatality|success|mortality|lethality"
            rf"|failure) rates?(?: [!-~]+){{0,8}} (?:jump[a-z]*|hang[a-z]*|overdos[a-z]*|gun[a-z]*|method"
            rf"|attempts?|suicide|pills|drown[a-z]*)|(?:jump[a-z]*|hang[a-z]*|overdos[a-z]*|method"
            rf"|attempts?)(?: [!-~]+){{0,8}} (?:survival|fatality|success|mortality|lethality|failure) rate"
            rf"|lethality of|overdos[a-z]*(?: [!-~]+){{0,4}} (?:successful|succeeds?|lethal|fatal|works|effective"
            rf"|peaceful)|(?:another|other|different|better|which|what|quicker"
            rf"|surer) methods?(?: [!-~]+){{0,3}} (?:die|suicide|kill|works|painless|quick)"
            rf"|consider another method|(?:{_DIE}|unconscious|pass out|black out|lose consciousness) (?:in|within"
            rf"|after) (?:a few|few|several|about|around|just|only|\d+|[a-z]+)? ?(?:seconds|minutes|hours)"
        ),
    ),
    "how_to": (
        (
            rf"how(?: [!-~]+){{0,2}} (?:to|do|can|could|should|would|did|i|you|one|id|ill"
            rf"|im)(?: [!-~]+){{0,4}} (?:kill|hang|shoot|drown|suffocate|overdose|od|gas|poison|strangle"
            rf"|electrocute|asphyxiate|unalive|cut|harm|hurt|injure|burn|starve|bruise|scar)(?: on"
            rf"| with)? (?:{_SELF}|(?:my|your) (?:wrists?|arms?|thighs?|veins?|skin|throat|neck|legs?)|deep"
            rf"|deeper|properly|safely|without (?:scars?|pain|bleeding|anyone|dying|getting)|enough|wrists?"
            rf"|veins?|arter[a-z]+|{_DRUG})"
        ),
        (
            r"how to (?:die|commit|suicide|overdose|od|self ?harm|hang (?:my|your|one)|hang$|tie (?:a|the) noose"
            r"|make a noose|get (?:a )?(?:gun|pills)|cut(?:$| my| your| deep| without| so)|purge|vomit|throw up"
            r"|make (?:yourself|myself) (?:sick|throw up|vomit|puke)|starve|fast for|not eat|stop eating"
            r"|avoid eating|skip meals|lose (?:\d+|weight fast|weight quick[a-z]*)|hide|conceal|suppress)"
        ),
        (
            r"(?:tie|tying|make|making|knot|loop|hang|attach|rig|set up)(?: [!-~]+){0,4} (?:noose|slip ?knot"
            r"|ligature|exit bag)|(?:noose|ligature|hanging|partial suspension|full suspension|drop height"
            r"|long drop|short drop|carotid|jugular|brachial|femoral|radial artery)(?: [!-~]+){0,6} (?:knot|rope"
            r"|height|weight|cut|sever|compress|pressure|seconds|minutes|tie|use|works)|(?:partial"
            r"|full) suspension|exit bags?|suicide bags?"
        ),
        (
            r"(?:cut|cutting|slice|slit|slash|stab)(?: [!-~]+){0,5} (?:deep(?:er|ly)? enough|vertical(?:ly)?"
            r"|lengthwise|longways|up the (?:arm|wrist|road)|down the (?:road|street|river|arm|wrist)|along the"
            r"|across the|not across|artery|arteries|vein|jugular|carotid|femoral)|down the (?:road"
            r"|river) not across"
        ),
        (
            r"(?:carbon monoxide|exhaust(?: pipe| fumes)|hose|charcoal|helium|nitrogen|inert gas|hydrogen sulfide"
            r"|argon)(?: [!-~]+){0,10} (?:car|garage|tailpipe|window|tank|mask|hood|tent|bag|burn|grill|bathroom"
            r"|tape|seal|seal(?:ed)?|inhale|breathe|method|poisoning|suicide|die|death)|(?:car|garage|seal|bag"
            r"|tank)(?: [!-~]+){0,8} (?:carbon monoxide|exhaust|helium|nitrogen|charcoal)"
        ),
        (
            r"nembutal|pentobarbital|phenobarbital|seconal|secobarbital|sodium (?:nitrite|nitrate|azide|cyanide)"
            r"|potassium (?:cyanide|chloride)|cyanide|ricin|strychnine|hemlock|nightshade|aconite|oleander"
            r"|rat poison|peaceful pill|final exit"
            r"|sanctioned suicide|sasu|detergent suicide"
        ),
        (
            r"(?:jump|jumping|fall|falling|drop|leap)(?: [!-~]+){0,5} (?:\d+|[a-z]+teen|[a-z]+ty|three|four|five"
            r"|six|seven|eight|nine|ten|twelve|how many|enough|several)(?: or \d+)? ?(?:floors?|stories|storeys"
            r"|feet|ft|meters|metres)|(?:jump|jumping|fall|falling|leap)(?: [!-~]+){0,6} (?:high enough"
            r"|tall enough|head ?first)|(?:floors?|stories|storeys|feet|ft|meters|metres|high"
            r"|tall)(?: [!-~]+){0,4} (?:enough|high enough)(?: [!-~]+){0,3} (?:to )?(?:die|kill|be fatal|death)"
        ),
        (
            r"(?:mix|mixing|mixed|combine|combining|crush|crushing|dissolve|chase|wash (?:it|them) down"
            r"|washed (?:it|them) down|take|taking|swallow|inject|injecting|snort|snorting|smoke|smoking"
            r"|plug)(?: [!-~]+){0,3} (?:xanax|benzos?|pills|opioids?|oxy[a-z]*|fentanyl|heroin|sleeping pills"
            r"|painkillers|tylenol|insulin|bleach)(?: [!-~]+){0,3} (?:with|and|in|then|until"
            r"|before)(?: [!-~]+){0,3} (?:alcohol|vodka|whiskey|liquor|wine|beer|booze|water|benzos?|xanax"
            r"|opioids?|needle|vein|die|sleep|pass out)"
        ),
        (
            rf"(?:aim|point|angle|place|put|press|shoot)(?: [!-~]+){{0,4}} (?:barrel|gun|muzzle|pistol|shotgun"
            rf"|knife|blade|razor)(?: [!-~]+){{0,4}} (?:temple|mouth|roof of|brain ?stem|head|heart|ear|throat"
            rf"|wrist|artery|upward|angle)(?: [!-~]+){{0,4}} (?:so that|to make sure|ensure|guarantee|works"
            rf"|instant|instantly)|make sure (?:you|it|they|nobody|no one)(?: [!-~]+){{0,5}} (?:{_DIE}"
            rf"|find (?:you|me)|stop (?:you|me)|save (?:you|me))"
        ),
    ),
    "where_to_get": (
        (
            r"(?:where|how|place|places|site|website|online|order|ordering|buy|buying|purchase|get|dealer"
            r"|dark ?web|source|supplier|obtain)(?: [!-~]+){0,7} (?:nembutal|cyanide|sodium nitr[a-z]+|helium"
            r"|nitrogen tank|exit bag|fentanyl|lethal|poison|pills to (?:die|kill)|gun (?:to|without|no|illegally"
            r"|tonight|today)|drugs to (?:die|kill)|untraceable|ghost gun)"
        ),
        (
            rf"where (?:can|could|do|to|should|would)(?: [!-~]+){{0,5}} (?:buy|get|find|order|purchase"
            rf"|obtain)(?: [!-~]+){{0,5}} (?:{_DRUG}|guns?|pistol|rope|noose|razors?|blades?|poison|gas)"
        ),
        (
            r"(?:take apart|break open|unscrew|dismantl[a-z]+)(?: [!-~]+){0,4} (?:razor|sharpener"
            r"|shaver)"
        ),
    ),
    "encourages": (
        (
            r"(?:you should|you need to|you ought to|go|please|why dont you|do us all a favor and|better if you"
            r"|go ahead and|you can|u should|you might as well|everyone should)(?: just| go| all| really"
            r"| probably)* (?:kill (?:your|ur) ?self|kys|die|end it(?: all)?|end yourself|hang yourself"
            r"|cut yourself|overdose|off yourself)|hope you (?:die|kill your ?self|overdose)|kys|neck yourself"
            r"|drink bleach|go (?:ahead and )?(?:die|kill)|(?:no one|nobody) would (?:miss|care if) you"
        ),
    ),
    "hiding": (
        (
            rf"(?:hid(?:e|ing|den)|conceal(?:ing|ed)?|cover(?:ing)?(?: up)?|covered up|disguis(?:e|ing)"
            rf"|keep(?:ing)?(?: [!-~]+){{0,3}} secret|mask|lie about|fake)(?: [!-~]+){{0,4}} {_CUT}"
        ),
        (
            r"(?:wear|wearing|wore|use|using|put on|bracelets?|long sleeves?|hoodies?|makeup|concealer|foundation"
            r"|wristbands?|bandaids?)(?: [!-~]+){0,6} (?:to )?(?:hide|cover"
            r"|conceal)(?: up)?(?: [!-~]+){0,3} (?:scars?|cuts|cutting|bruises|arms?|wrists?|marks|burns"
            r"|self ?harm|weight|body)|(?:cut|cuts|cutting|scars?|self ?harm|eat|eating|purg[a-z]*|vomit[a-z]*"
            r"|food|pills|weight|starv[a-z]*|die|kill)(?: .*)? (?:so|where)(?: that)? (?:nobody|no ?one|they"
            r"|people|parents|mom)(?: [!-~]+){0,2} (?:wont|cant|dont|doesnt|will never|would never"
            r"|never)_2_(?:see|notice|find out|know|suspect|tell)|(?:cut|cutting|scars?|self ?harm|eat|eating"
            r"|purg[a-z]*|vomit[a-z]*|pills|weight|starv[a-z]*|die|kill)(?: .*)? without (?:anyone|my parents"
            r"|parents|people|them|your parents|anybody)(?: [!-~]+){0,2} (?:knowing|noticing|finding|seeing"
            r"|suspecting)|(?:trick|fool|cheat|water ?load[a-z]*|weights? in)(?: [!-~]+){0,3} (?:scale|scales"
            r"|weigh ?ins?|dietitian|doctor|pockets)"
        ),
    ),
    "eating": (
        (
            r"thinspo[a-z]*|mean ?spo|bone ?spo|pro ?ana|pro ?mia|ana (?:tips|buddy|buddies|coach|diet)|mia tips"
            r"|(?:purge|purging|vomit|vomiting|throw(?:ing)? up|puke|puking|gag)(?: [!-~]+){0,5} (?:tips?|tricks?"
            r"|easier|easily|quietly|toothbrush|fingers?|finger down|water first|ice cream|without"
            r"|after (?:eating|meals|every)|trigger)|finger(?:s)? down (?:my|your|the) throat"
            r"|chew(?:ing)? and spit(?:ting)?|c s[^a-z]"
        ),
        (
            r"(?:water|dry|juice|liquid|\d+ ?(?:hour|hr|day)|extended|prolonged) fast(?:s|ing|ed)?|(?:eat|eating"
            r"|ate|consum[a-z]+|intake|restrict[a-z]*|limit(?:ing)?|under|below|only|less than|max|of"
            r"|at)(?: [!-~]+){0,4} (?:\d{2,3}|1[01]\d\d) ?(?:k?cals?|calories|cal)|(?:\d{2,3}"
            r"|1[01]\d\d) ?(?:k?cals?|calories|cal)(?: [!-~]+){0,2} (?:a|per|each|every|daily|diet|fast)(?: day)?"
            r"|(?:laxatives?|diuretics?|diet pills?|ipecac|appetite suppressants?|ephedr[a-z]+|clenbuterol"
            r"|dnp)(?: [!-~]+){0,6} (?:lose|weight|purge|flush|empty|skinny|thin|help|work|take|daily)|(?:took"
            r"|take|taking|use|using|abuse|abusing|swallow)(?: [!-~]+){0,4} (?:laxatives?|diuretics|ipecac"
            r"|diet pills)"
        ),
        (
            r"(?:goal weight|lowest weight|ugw|cw)(?: [!-~]+){0,3} \d{2,3}|(?:suppress|kill|curb|stop|ignore"
            r"|avoid)(?: [!-~]+){0,3} (?:appetite|hunger)|(?:cotton balls?|ice cubes?|black coffee|diet (?:soda"
            r"|coke)|gum|cigarettes?)(?: [!-~]+){0,6} (?:instead of (?:eating|food|meals)|appetite|hunger|full"
            r"|skinny)|(?:lost|lose|losing|drop|dropped)(?: [!-~]+){0,3} \d+ ?(?:lbs?|pounds?|kgs?|kilos?"
            r"|stone)(?: [!-~]+){0,3} (?:in|within)(?: [!-~]+){0,2} (?:days?|week|weeks|month)"
        ),
    ),
    "weapons": (
        (
            r"(?:make|making|build|building|construct|assemble|3d print(?:ing)?|convert|cook|cooking"
            r"|synthesi[sz]e|manufacture|brew|extract|ignite|detonate)(?: [!-~]+){0,4} (?:bombs?|pipe bomb"
            r"|explosives?|grenades?|molotovs?|silencer|suppressor|ghost gun|guns?|firearms?|napalm|thermite"
            r"|chlorine gas|mustard gas|nerve agent|poison|meth|crack|lsd|dmt|ghb|mdma|fentanyl|heroin|ricin)"
            r"|(?:bypass|avoid|evade|get around|skip|beat)(?: [!-~]+){0,3} (?:background check|metal detectors?"
            r"|drug test|serial number)|pipe bombs?|molotov|ammonium nitrate|tannerite|blasting cap|ghost guns?"
            r"|auto sear"
        ),
    ),
}
