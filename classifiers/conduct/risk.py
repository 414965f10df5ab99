"""Acute risk in a prompt: levels of the Columbia scale (C-SSRS), danger from or to others, an overdose taken.

:data:`STRONG` alone is risk. :data:`WEAK` is risk only where the classifier, too, sees a disclosure. Idioms
(:data:`BENIGN`) are taken out first, and a sentence about the past (:data:`PAST`, not :data:`PRESENT`) does not count.
Patterns are read on :func:`classifiers.conduct.text.plain` text: no apostrophes, ``dont`` for *don't*, ``id`` for *I'd*.
"""

from __future__ import annotations

_SELF = r"(?:my ?self|(?:her|him|them|their|your|one) ?sel(?:f|ves))"
_KIN = (
    r"(?:husbands?|wife|boyfriend|girlfriend|bf|gf|partner|fianc[a-z]*|ex|exs|dad|father|stepdad|step dad"
    r"|stepfather|step father|mom|mum|mother"
    r"|stepmom|stepmother|brother|sister|son|daughter|uncle|aunt|cousin|grandfather|grandpa|roommate|boss"
    r"|neighbor|neighbour|parents|someone)"
)
_PERSON = (
    rf"(?:him(?:self)?|her(?:self)?|them|everyone|everybody|someone|somebody|people|others|some people"
    rf"|other people|my {_KIN}|my (?:baby|kids?|child|children|family|own [a-z]+|ex [a-z]+|teachers?"
    rf"|coworkers?|classmates|bullies|bully|friends?)|the (?:baby|kids?|children|man|guy|person))"
)
_HE = rf"(?:he|she|they|hes|shes|theyre|hed|hell|shell|who|{_KIN})"
_DRUG = (
    r"(?:pills?|tablets?|tabs|capsules|meds|medication|medicine|bottles?|tylenol|paracetamol|advil"
    r"|ibuprofen|aspirin|xanax|ambien|benadryl"
    r"|antidepressants|painkillers|sleeping pills?|opioids?|oxy[a-z]*|bleach|poison|antifreeze)"
)
_GONE = (
    r"(?:die|dying|be dead|being dead|were dead|was dead|stop existing|not exist|not existing|didnt exist"
    r"|cease to exist|stop living|not be here"
    r"|not be alive|wasnt (?:here|alive|born)|werent (?:here|alive|born)|(?:not|never|dont|didnt|wont"
    r"|wouldnt)(?: even| ever)? wake(?: ?up)?|(?:was|were) never born"
    r"|had never been born|hadnt been born|end my life|end my own life|take my (?:own )?life|end it all"
    r"|(?:just )?end it|be gone forever|sleep forever"
    r"|never have been born|be (?:hit|run over) by a (?:car|bus|truck|train)|get (?:hit"
    r"|run over) by a (?:car|bus|truck|train)|kms|not be on this earth|be gone|be dead already"
    r"|rest forever|not breathe|not be breathing|starved? to death|(?:[a-z]+ed|freeze|starve|bleed|choke"
    r"|drink myself) to death|die peacefully|end (?:all )?(?:this|my|the)(?: [a-z]+){0,2} (?:life"
    r"|existence|suffering|misery|pain)|ending (?:all )?(?:this|my|the)(?: [a-z]+){0,2} (?:life|existence"
    r"|suffering|misery))"
)
_WANT = (
    r"(?:want(?:ed|ing|s)?|wanna|wana|wish(?:es|ed|ing)?|hop(?:e|es|ed|ing)|pray(?:s|ed|ing)?|long(?:s"
    r"|ing)?|ready|ache|beg(?:s|ged|ging)?"
    r"|need|rather|deserve[sd]?|prefer|try(?:ing)?|tried|tries|decided|planning|plan|think(?:s|ing)?"
    r"|thought|thoughts|idea"
    r"|fantasi[sz](?:e|es|ing)|dream(?:s|ing)?|urges?|tempted|considering|considered|contemplat(?:e|ed"
    r"|ing)|ideation|excuse)"
)

_WHO = (
    rf"(?:i|im|ive|id|ill|me|my|mine|myself|he|she|hes|shes|his|her|him|theyre|they are|friends?"
    rf"|bestfriend|bf|gf|{_KIN}|we|us|our|am|still|always|constantly|actively|passively)"
)
_SUICIDE = r"(?:suicid[a-z]*|sucid[a-z]*|suicd[a-z]*|suiside|suicude|sewerslide)"

#: Taken out before anything is looked for.
BENIGN: tuple[str, ...] = (
    r"(?:to |i )?(?:die|dying|died|dies)(?: [a-z]+)? (?:of|from|with) (?:embarrass[a-z]*|laugh[a-z]*"
    r"|boredom|shame|heat|curiosity|cringe|cuteness|envy"
    r"|happiness|joy|excitement|anticipation|jealousy|humiliation|thirst|hunger|suspense|old age"
    r"|natural causes|cancer|covid|aids|a heart attack)",
    (
        r"(?:im |was |were |are |am |been )?dying (?:to (?:[a-z]+)|for (?:a|an|some|my|the)|inside|laughing)"
        r"|to die for|die ?hard|dying breed|die laughing"
    ),
    (
        r"(?:laugh[a-z]*|embarrass[a-z]*|mortif[a-z]*|cring[a-z]*|asham[a-z]*|blush[a-z]*|awkward)_8_(?:die"
        r"|died|dying|dead|kill myself)"
    ),
    r"(?:die|died|dying|dead)_4_(?:laughing|laughter|embarrass[a-z]*|cringe)",
    (
        r"dead (?:tired|serious|end|weight|line|lift|beat|last|on|silence|silent|inside joke|battery|broke"
        r"|wrong|center|set)|deadlines?|dead of night"
    ),
    (
        r"kill(?:s|ed|ing)? (?:it|time|some time|the time|two birds|the (?:mood|vibe|buzz|lights|engine|joy"
        r"|romance)|off|bugs|weeds|germs|bacteria|spiders?|mosquitos?)"
    ),
    (
        r"killing me(?: softly| inside)?|kills me(?: that| when| to| inside| how)|killer|kill bill"
        r"|dressed to kill|overkill|buzz ?kill"
    ),
    r"(?:it|this|that|work|job|school|stress|anxiety|pain|back|feet|legs|commute|diet|workouts?|exams?"
    r"|heat|wait)(?: is|s|was)?(?: going to| gonna| will| might"
    r"| could| would)?(?: literally| slowly)? kill(?:ing|s)? me",
    r"(?:mom|mum|mother|parents|folks|boss|teacher|coach|wife|roommate|professor|landlord|wifes|moms|he"
    r"|she|they)(?: is| are|re|s)?(?: going to| gonna| will| would|ll"
    r"| wouldve| must)(?: seriously| probably| absolutely| literally| actually)? kill me (?:if|when|for"
    r"|over|once|because)",
    r"(?:traffic|homework|exams?|class|classes|commute|songs?|movies?|shows?|games?|mondays?|weather|heat"
    r"|meetings?|spreadsheets?|paperwork|lines?|queue|wifi"
    r"|computer|printer|ads?|commercials?|math|assignment|essay|thesis|episode|finals|puns?|jokes?"
    r"|customers?|email|emails|noise|music|hangover)_5_(?:make|makes"
    r"|made|making|had|have|has)_4_(?:kill|shoot|hang|stab|die|jump|dead)(?: myself| me)?",
    r"suicide (?:squads?|bomb[a-z]*|rates?|statistics|notes? writer|doors?|girls?|mission|attacks?"
    r"|awareness|prevention (?:week|month|day)|hotlines?|lines?|run|kings)"
    r"|(?:political|career|social|commercial|financial|professional) suicide|assisted suicide|virgin suicides",
    r"(?:committed|commited|completed|died by|death by|(?:lost|loss|losing)_6_to|dead by|dead from) suicide",
    (
        r"(?:not|never|isnt|arent|wasnt|aint|neither|nor|without being)(?: at all| actively| really"
        r"| currently| feeling| even| particularly| in any way)* suicidal|non ?suicidal"
    ),
    (
        r"(?:dont|do not|didnt|did not|doesnt|never|not)(?: really| actually| even| ever"
        r"| necessarily)? (?:want|wanna|wanted|wish|going)(?: to)? die"
    ),
    (
        r"(?:dont|do not|didnt|doesnt)(?: really| actually| even)? want (?:him|her|them|it|us|you|my [a-z]+"
        r"|anyone|anybody)(?: all)? to die"
    ),
    (
        r"(?:afraid|scared|fear|fears|terrified|worr[a-z]+|phobia|anxiety|panic|obsess[a-z]*)(?: of| about"
        r"| that)?_4_(?:dying|death|die|going to die|gonna die)"
    ),
    (
        r"(?:think|thought|thinking|feels? like|felt like|convinced|sure|sometimes|swear|like)(?: that)?(?: i"
        r"| i was| i am| im| id)?(?: am| was)? (?:dying|about to die|going to die|gonna die)"
    ),
    (
        r"(?:cut|cuts|cutting) (?:myself|himself|herself) (?:off|short|some slack|shaving|on|out|loose"
        r"|a piece|while (?:shaving|cooking|chopping))"
    ),
    (
        r"(?:hurt|hurting|burn|burned|burnt|hit) (?:myself|himself|herself) (?:at|playing|lifting|running"
        r"|working out|in the gym|while|cooking|on the (?:stove|oven|iron)|out)"
    ),
    (
        r"(?:beat|beating|beats|kick|kicking|hate|hit|hitting) (?:myself|themselves|himself|herself) up"
        r"|shoot(?:ing)? (?:myself|yourself) in the foot|kick(?:ing)? myself for"
    ),
    (
        r"(?:its?|that|this|reality|realization|realisation|grief|sadness|depression|wave|truth|thought|news"
        r"|which|words?)(?: really| just| finally| suddenly| then)? (?:hit|hits|hitting|slapped|punched|beat"
        r"|beats|killed|kills|choked) (?:me|us|her|him)"
    ),
    (
        r"(?:ghost|hang|drop|kill|slay|bomb) (?:me a line|out with)|hang(?:ing)? (?:out|up|onto|on to|on"
        r"|in there)|shoot me (?:a|an) [a-z]+|drop dead gorgeous"
    ),
    (
        r"overdos(?:e|ed|ing) on (?:sugar|chocolate|cute[a-z]*|caffeine|coffee|carbs|vitamins?|netflix|food"
        r"|turkey|candy)"
    ),
    (
        r"(?:my|your|his|her|their|of|low|no|any) self (?:esteem|confidence|worth|image|respect"
        r"|harm awareness)|(?:not|no longer|never|isnt|arent|wasnt)(?: really| that| too)? (?:afraid|scared"
        r"|terrified) of|killing (?:myself|yourself) (?:with (?:this|my|all|the|work)|over (?:this|it|work)"
        r"|at (?:work|the gym|school)|trying to|working|studying|in the gym)|drown(?:ing)? (?:myself"
        r"|my [a-z]+) in|shoot(?:ing)? (?:myself|yourself) in the foot|fight to the death|scared to death"
        r"|(?:sick|worried|bored|tired|loved?|loves|spoil[a-z]*|starved|freez[a-z]*|frozen|worked) (?:him "
        r"|her |them |me |us |it )?to death"
    ),
    (
        r"(?:relationships?|marriage|engagement|friendship|affair|fling|breakup"
        r"|situationship)_10_end(?:ing)? (?:it|things)(?: all)?|end(?:ing)? (?:it"
        r"|things)_10_(?:relationships?|marriage|engagement|friendship|affair)"
    ),
    (
        r"(?:loss|lost|losing|death|grief|griev[a-z]+|passed|funeral|news|about|far as|mourn[a-z]*"
        r"|anniversary)_10_(?:commit?ting|commit?ed|by) suicide|(?:vets?|veterans?|celebrit[a-z]+"
        r"|friends?(?: of mine)?|soldiers?|students?|patients?|people) (?:that |who )?(?:commit?ting"
        r"|commit?ed|died by|dying by) suicide"
    ),
    (
        r"(?:after|before|until|till|day|once|when) (?:i|we|you|they|he|she|people) die|(?:risk(?:ing)?"
        r"|saved?|saving|ruin[a-z]*) (?:my|his|her|their) (?:own )?li(?:fe|ves)"
    ),
    (
        r"\d+ ?kms|rid od|(?:tired|sick|done|exhausted|fed up) (?:of|with) living (?:with|here|at|alone|off"
        r"|paycheck|a lie|on|in (?:my|a|the|this (?:house|town|city|place|apartment|state)|fear)|there"
        r"|together|under|for (?:others|other|my|everyone)|up to)|playfully|train stations?"
        r"|being alive is(?: such)? (?:a|the) (?:gift|blessing|miracle)|you(?: really| just| all)? (?:want"
        r"|wanna|wanted)(?: to)? die|(?:hope|hopes) (?:you|he|she|they|it|that|this)(?: [a-z]+){0,1} dies?"
        r"|(?:you|he|she|they|it|animals|people|men) (?:all )?(?:deserves?|should|needs?)(?: to)? die"
        r"|want(?:ed|s)? (?:him|her|them|you|it|people|everyone) to (?:all )?die|(?:he|she|husband|wife|bf|gf"
        r"|boyfriend|girlfriend|partner|ex)(?: says| said| told me)?(?: he| she)? (?:wants|wanted|decided"
        r"|tried)(?: to)? end it|(?:dont|didnt|never|not|doesnt) (?:really )?want (?:it|this|that|them"
        r"|the [a-z]+) to (?:end|be over|stop)|not wake up (?:for (?:a|\d)|until|till|early|before)"
    ),
    (
        r"(?:homework|semester|finals|chapters?|exams?|assignments?|essays?|freshman|courses?|teachers?"
        r"|students?|midterms?|studying|papers?|monday|coursework)_12_(?:kill|shoot|blow|hang|stab) (?:myself"
        r"|my brains|themselves|me|ourselves)"
    ),
    (
        r"(?:dont|do not|never|didnt|wouldnt|doesnt)(?: [a-z]+){0,1} (?:harm|harmed|hurt|cut|self harm"
        r"|self harmed|injure) (?:myself|himself|herself)|(?:no|dont have|without|never had|not having|denies"
        r"|deny|not feeling)(?: any| extreme| active| real| actual| longer have){0,2} (?:suicidal"
        r"|suicide) (?:thoughts?|ideations?|feelings?|tendencies)"
    ),
    (
        r"(?:died?|dead|dies|death|passed(?: away)?|lost|loss|killed)_8_overdos(?:e|ed|es|ing)"
        r"|overdose (?:deaths?|crisis|awareness|prevention|epidemic)"
    ),
    (
        r"end it (?:with|between|there|here|by|on|before|soon and|peacefully|amicably)|end (?:it"
        r"|things) with (?:him|her|them)"
    ),
)

#: A sentence of long ago ...
PAST: tuple[str, ...] = (
    r"(?:years?|yrs?|decades?|months?) (?:ago|back|earlier)|used to|when i was (?:\d+|a|an|in|young"
    r"|younger|little|growing|about|around|still|like)"
    r"|(?:as|when) (?:a|i was a) (?:kid|child|teen|teenager|adolescent|freshman|sophomore)|(?:in|during"
    r"|through|throughout) (?:(?:middle|high|elementary|primary|grade) ?school|hs"
    r"|college|(?:19|20)\d\d|my (?:teens|twenties|childhood|teenage years|youth|past))|back (?:in (?:the"
    r"|high|my|school|college|middle|university|19\d\d|20\d\d)|then|when)|in my (?:early |late "
    r"|mid )?(?:\d0s|teens|twenties|thirties|forties|fifties|childhood|youth|past)|in the past|growing up"
    r"|at the age of|at age|years? old(?: i)? (?:was|tried|attempted)"
    r"|no longer|not anymore|havent_6_(?:since|in|for)|(?:clean|free|sober|recovered|recovering) (?:for"
    r"|since|from)|(?:\d+|few|several|couple) (?:years|months) (?:clean|free)"
    r"|last year|(?:one|two|three|four|five|six|seven|eight|nine|ten|\d+) years (?:since|later)"
    r"|once (?:tried|attempted)|previous(?:ly)?|history of|survived|overcame",
)
#: ... unless it says that it goes on.
PRESENT: tuple[str, ...] = (
    r"still|again|now|lately|today|tonight|these days|recently|keep|keeps|currently|always|every ?day"
    r"|constantly|all the time|ever since|since then|since i was|back to|come back"
    r"|coming back|relaps[a-z]*|right now|this (?:week|morning|weekend|month)|yesterday|last night"
    r"|anymore(?: i| and)|been",
)

#: Each alone means acute risk; the name says which kind.
STRONG: dict[str, tuple[str, ...]] = {
    "wish_to_be_dead": (
        (
            rf"(?:want(?:s|ed|ing)?|wanna|wana|wish(?:es|ed|ing)?|hop(?:e|es|ed|ing)|pray(?:s|ed|ing)?|beg(?:s"
            rf"|ged|ging)?|ready|rather|deserve[sd]?|trying|desire|courage|excuse|brave enough"
            rf"|strong enough)(?: [!-~]+){{0,3}} {_GONE}"
        ),
        (
            rf"{_WANT}(?: to| i| id| i could| i would| i can| of| about| just| really| so| badly?| that| me"
            rf"| sometimes| often| maybe| be able| if| im| things| nothing more than){{0,5}} {_GONE}"
        ),
        r"(?:wish|wishing|wished|hope|hoping|want|wants|wanted)_3_(?:was|were|to be|be|being|am) dead",
        (
            r"(?:better|easier|best|happier)(?: off)?(?: [!-~]+){0,2} (?:dead|without me|if i (?:just |simply "
            r"|had |never )?(?:died|disappeared|killed myself|existed|(?:was|were) (?:dead|gone|never born"
            r"|not (?:here|alive|around|born))|(?:wasnt|werent|am not) (?:here|alive|around|born|in)|didnt exist"
            r"|left this))"
        ),
        r"(?:dont|do not|didnt|doesnt|dosent|never|not)(?: really| even| actually| truly)? (?:want|wanna"
        r"|wanted|deserve|care|like|see)(?: to| if i| myself| much| about)? (?:live|living|be alive"
        r"|being alive|be here any ?more|exist|existing"
        r"|wake ?up|go on living|be on this (?:earth|planet)|keep living|continue living|survive|make it"
        r"|carry on living|be in this world|be around any ?more|breathe|be breathing|feel anything|be me"
        r"|open my eyes)",
        (
            r"(?:i|im|me|supposed|reasons?|trying|struggl[a-z]+|hard|forc[a-z]+|promis[a-z]+|must|should|why"
            r"|harder)(?: [!-~]+){0,6} stay(?:ing)? alive|(?:barely|hardly|any|no|few|only|good|give me a|single"
            r"|real|find a|another|figure out a"
            r"|what)(?: [!-~]+){0,2} reasons?(?: [!-~]+){0,2} (?:not )?to (?:live|stay|keep going|go on|continue"
            r"|be here|keep living|end it|wake up|exist|do it)|only (?:reason|thing|ones?)(?: [!-~]+){0,2} (?:im"
            r"|i am|i havent|ive|keeping me|stopping me|that keeps me|i stay)(?: [!-~]+){0,3} (?:alive|dead|here"
            r"|killed|done it|ended|around|going|from (?:killing|ending|doing it|dying|suicide|jumping|it$))"
        ),
        (
            r"(?:i|im|ill)(?: [!-~]+){0,2} (?:cant|can not|cannot|dont think|dont feel|dont know|wont"
            r"|not going to|not gonna|not sure|might not|may not)(?: [!-~]+){0,5} (?:survive(?: tomorrow| tonight"
            r"| this (?:week|night|time)| another| much| the (?:night|week|day)|$)|make it (?:to|through|past"
            r"|until|till)(?: the)? (?:tonight|tomorrow|night|another|week|next|morning|christmas|my birthday"
            r"|new year|end of|\d+)|live (?:through|another|past|much|to see)|be (?:here|alive"
            r"|around) (?:tomorrow|much|next|by|any ?more))"
        ),
        (
            r"(?:no|the|any|see a|a|real|much|little) (?:point|purpose|sense) (?:of|in|to) (?:being alive|living"
            r"|existing|going on|life|this life|keep living|staying alive)|(?:battling|fighting|constant"
            r"|constantly|intrusive|daily|persistent|nights? of|days of|having|with|with the"
            r"|through)(?: [!-~]+){0,2} suicidal (?:thoughts?|ideations?|urges|feelings)"
        ),
        (
            r"hurts? to (?:exist|live|be alive|breathe)|(?:being|be) alive (?:isnt|doesnt|is (?:too|so|a|painful"
            r"|hard|exhaust[a-z]*)|just|sounds|seems|hurts)|(?:life|world|everyone|everybody|family|people"
            r"|parents|kids|they|would|he|she)(?: [!-~]+){0,5} (?:go on|better|fine|happier|easier|best"
            r"|okay) without me|if i (?:wasnt|werent|was not|were not|was no longer|were no longer"
            r"|isnt) (?:around|here|alive|in (?:the|this) (?:picture|world|way))|(?:better|be) (?:off"
            r"|out) of (?:the|this) (?:world|picture|way)"
        ),
        (
            r"(?:no|any|lost the|lost my|without|lack)(?: more| real)?(?: reason| point| will| purpose| desire"
            r"| motivation)(?: left)?(?: to| in| for)?(?: me to)?(?: keep| even)? (?:live|living|be alive"
            r"|being alive|go on|going on|exist|existing|stay alive|staying alive)"
        ),
        (
            r"(?:tired|sick|exhausted|done|fed up|finished)(?: of| with)(?: my| this)? (?:living"
            r"|life(?: any ?more| and| in|$)|being alive|existing|existence)|(?:life|living|lifes|alive"
            r"|this)(?: is| was| feels| seems)?(?: just| really| simply)? (?:not|no longer|isnt|never|hardly"
            r"|barely|wasnt|doesnt feel|doesnt seem|not really)(?: really| even| just)? worth (?:living|it)"
            r"|not worth living"
        ),
        (
            r"(?:anything|much|something|nothing)(?: left)? (?:to live for|worth living for)|wak(?:e"
            r"|ing) up(?: [!-~]+){0,4} (?:wishing|wish) (?:i|id|that i) (?:didnt|hadnt|wasnt|never|could|had|was"
            r"|would)|reasons? to (?:live|stay alive|keep living)|no point any ?more|(?:cant|can not|cannot"
            r"|if i can|dont think i can)(?: even)? hold on(?: any| much|$| longer)|(?:dont"
            r"|didnt) want to be in this (?:body|brain|head|world|life)|suicide is a permanent|hopefully (?:i"
            r"|ill) (?:just )?die|if i (?:just |only |had |ever )?(?:die|died|killed myself|disappeared|ended it"
            r"|was gone)|(?:no one|nobody|noone) (?:will|would|is going to|ll)(?: even| ever| really)? (?:miss me"
            r"|cry|notice (?:if|when|that) im gone)"
        ),
        (
            r"(?:want|wanna)(?: to)?(?: [!-~]+){1,6} and (?:just )?die|(?:cant|cannot"
            r"|can not)(?: [a-z]+){0,1} (?:take|do|handle|bear|stand|face|deal with) (?:my |this )?life"
            r"|(?:any ?time|soon) i can die|(?:next|after) ?life|pass on to|i just want it (?:all )?to (?:end"
            r"|stop|be over)$|reach(?:ing)? for (?:the|my) (?:[a-z]+ of )?(?:pills|razor|blade|gun)"
            r"|given up on life"
        ),
        (
            rf"(?:would|id|might|i d)(?: [a-z]+){{0,1}} (?:like|love|rather|prefer)(?: to| if i could| if i| just"
            rf"| be able to){{0,3}} {_GONE}|(?:nice|great|better|easier|good|lovely|relief|peaceful|wonderful"
            rf"|beautiful)(?: [!-~]+){{0,4}} to (?:just )?(?:be dead|die|not exist|not wake up|never wake up)"
            rf"|(?:hope|hoping|wish|pray|praying)(?: [!-~]+){{0,5}} (?:kills?|takes?|killed|took) me(?: out"
            rf"| away)?"
        ),
        (
            r"(?:lost|lose|losing|loses|no|gone|lack(?:ing)?|without|zero)(?: [!-~]+){0,2} will to (?:live|go on"
            r"|keep)|will to live(?: [!-~]+){0,2} (?:gone|fading|lost|left|diminish[a-z]*|zero)|(?:motivation"
            r"|reason|strength|energy|desire) to (?:keep on living|keep living|live|stay alive)|wont be (?:here"
            r"|around|alive) (?:for )?(?:much|long)|if id (?:just |only )?(?:died|die|disappeared)"
        ),
        (
            r"(?:considering|thinking (?:about|of)|want to|should i|scared to|afraid to|about to"
            r"|need to)(?: [!-~]+){0,2} call(?:ing)? (?:a|the)(?: [!-~]+){0,2} (?:hot ?line|lifeline|988"
            r"|crisis line)|(?:who (?:has|have)|ive|i have|anyone|have you|i)(?: ever| also| just"
            r"| already)? attempted(?: before| suicide|$| did| twice| once| multiple| again)"
        ),
        (
            r"nothing(?: left)?(?: to| worth) (?:live|living|liv) for|want (?:everything|it all|the pain|my life"
            r"|all of this|all this|this pain|this life)(?: all| just)* to (?:end|be over|be done|stop|go away)"
        ),
        (
            r"(?:cant|cannot|can not|dont want to|not)(?: possibly| even)? (?:go on|keep on|keep"
            r"|continue) (?:living|with (?:my |this )?life|existing|being alive)|i(?:m)?(?: [!-~]+){0,3} (?:cant"
            r"|cannot|can not|want to|if i can|how to) go on(?: any ?more| any longer| much longer|$)"
        ),
        (
            r"(?:go|fall|drift) (?:to )?(?:sleep|asleep|bed)_4_(?:never|not|dont|without ever|wont)_2_wak(?:e"
            r"|ing)(?: up)?|(?:dont|wont|didnt|never|not|wouldnt)_2_wake up (?:tomorrow|again|in the morning"
            r"|one day|ever|at all)"
        ),
        (
            r"(?:nobody|no one|noone|anyone|anybody|everyone|they)(?: would| will|d|ll)?(?: even| ever| really"
            r"| actually)? (?:miss|notice|care|cry|be sad|mourn|be relieved|be happier)_4_(?:if i|were gone"
            r"|was gone|im gone|when im|died|dead)"
        ),
        (
            r"(?:i should|i could|let me|id|i can|can i|wanna)(?: just| finally| probably)? die (?:already"
            r"|tonight|today|soon|alone|please|in peace|peacefully|with no|without)|let me die"
            r"|^(?:[!-~]+ ){0,1}kill me(?: now| already| please)?$|(?:please|someone|somebody|can"
            r"|just) (?:[!-~]+ ){0,3}kill me"
        ),
        (
            r"(?:dying|death) (?:is|would be|seems|sounds|feels like)_4_(?:better|easier|peaceful|relief|answer"
            r"|way out|option|solution|nice|welcome|escape)|only way out|way out is (?:death|to die|suicide)"
        ),
        (
            r"(?:considering|thinking about|thinking of|contemplating|think about|thoughts of|obsessed with"
            r"|preoccupied with) my own (?:death|dying)|(?:want|wants|crave|craving|welcome|waiting for|wish for"
            r"|long for|beg for|pray for) (?:my )?death|(?:i|id) (?:[a-z]+ ){0,2}(?:should"
            r"|deserve to) (?:just )?die"
        ),
        (
            r"(?:hate|hated) (?:being alive|that im alive|living(?: and| any ?more| every| my| this life|$)"
            r"|waking up every)|(?:wish|wished) (?:i )?(?:never existed|didnt exist|wasnt born|was never born"
            r"|could disappear|could just disappear|would die|could die|had died|just died)"
        ),
        (
            r"(?:shouldnt|should not|should never|dont deserve to)(?: even| have)? (?:be alive|exist|been born"
            r"|live|be living)|i should (?:just )?(?:be dead|disappear|kill myself)|i should(?: have|ve) (?:died"
            r"|killed myself)|should(?: have|ve) been me"
        ),
    ),
    "suicidal_thoughts": (
        (
            rf"(?:kill|killing|kil|killl|lull|hang|hanging|shoot|shooting|drown|drowning|suffocat(?:e|ing)|gas"
            rf"|poison(?:ing)?|strangl(?:e|ing)|unaliv(?:e|ing)|delet(?:e|ing)|stab|stabbing|electrocut(?:e|ing)"
            rf"|ending)(?: the fuck out of)? {_SELF}"
        ),
        (
            r"(?:end|ending|take|taking|takes|ends)_1_(?:my|her|his|their)(?: own)?(?: fucking| own)? (?:life"
            r"|lives)|end(?:ing)? it all|kms|ctb|unaliv(?:e|ing)"
        ),
        (
            rf"{_WHO} (?:.* )?{_SUICIDE}|{_SUICIDE} (?:.* )?{_WHO}|^(?:[!-~]+ ){{0,3}}(?:suicidal"
            rf"|suicide)(?: [!-~]+){{0,3}}$"
        ),
        (
            r"(?:might|could|would|will|to|id) end (?:it all|all (?:the|my|this) pain|(?:the|my) (?:pain"
            r"|suffering|misery))|(?:plow|plowing|ram|ramming|crash|smash)(?: [!-~]+){0,2} into (?:something"
            r"|someone|anything|a)"
        ),
        (
            r"(?:jump|jumping|throw(?:ing)? myself|leap|leaping)_5_(?:off|from|in front of|into|under|onto"
            r"|out of)_3_(?:bridge|building|roof|window|balcony|cliff|trains?|traffic|truck|bus|tracks|ledge"
            r"|river|oncoming|semi|overpass)|(?:step(?:ping)?|walk(?:ing)?|run(?:ning)?|lie|lying"
            r"|lay)_3_(?:in front of|into|under|onto)_3_(?:trains?|traffic|trucks?|bus|tracks|oncoming|semi"
            r"|moving)|(?:driv(?:e|ing)|swerv(?:e|ing)|crash(?:ing)?|steer(?:ing)?)_4_(?:off|into"
            r"|in front of)_3_(?:bridge|cliff|trees?|poles?|oncoming|semi|overpass|wall|traffic|truck|road"
            r"|barrier)"
        ),
        (
            r"(?:slit|slitting|slash|slashing|slice|slicing|cut|cutting|open(?:ing)? up) (?:my|his|her"
            r"|their)(?: own)? (?:wrists?|throat|veins?|arteries)|blow(?:ing)? my (?:brains?|head)|(?:gun|bullet"
            r"|knife|pistol|shotgun|barrel)_4_(?:to|in|into|through|against) my (?:head|mouth|brain|skull|throat"
            r"|heart|chest|temple)"
        ),
        (
            r"(?:thinking (?:about|of)|think (?:about|of)|thoughts? (?:of|about)|close to|closer to"
            r"|minutes(?: away)? from|means to|way to|ready to|planning (?:on|to)|consider(?:ing|ed)?"
            r"|contemplat[a-z]+|courage to|why not|want to|wanna|wanted to|going to|gonna|wish i could|tempted to"
            r"|urge to|about to|need to|should|shouldnt|feel like)(?: [a-z]+){0,1} end(?:ing)? it|(?:courage"
            r"|balls|guts|strength|brave enough|nerve|too scared|too afraid|coward"
            r"|pussy)(?: [!-~]+){0,3} (?:to )?(?:jump|die|do it|pull the trigger|end|go through with it|kill)"
            r"|stop myself from (?:doing|going|jumping|killing|ending)"
        ),
        (
            r"(?:shot|quick fire|bullet|fire|gunshot)(?: [!-~]+){0,2} (?:in|into|to|through)(?: my)? head|(?:down"
            r"|downing|swallow(?:ing)?|take|taking|pop(?:ping)?|chug(?:ging)?)(?: [!-~]+){0,2} (?:(?:whole|entire"
            r"|full|a|the|this) bottle of|bottle of (?:pills|tylenol|[a-z]+ pills)|whole bottle|entire bottle"
            r"|(?:all|every|whatever)(?: [!-~]+){0,5} (?:pills?|tablets|meds|painkillers))|(?:enough|how many"
            r"|how much)(?: [!-~]+){0,2} (?:pills|tablets|meds|benadryl|tylenol|xanax|advil)|(?:last"
            r"|final)(?: [!-~]+){0,2} (?:days?|hours?|weeks?|minutes?|months?)(?: [!-~]+){0,3} (?:in|of) my life"
            r"|(?:death ?day|my death|see (?:you|ya)(?: [!-~]+){0,3} other side)"
        ),
        (
            r"(?:to|gonna|should|and|just|or|ill|id|about to|i) off myself|(?:i|im|ive|ill|id|want|going|gonna"
            r"|plan[a-z]*|try(?:ing)?|tried|could|might|urges?|thinking|thoughts?|intend[a-z]*|attempt[a-z]*"
            r"|my (?:mom|dad|sister|brother|friend|girlfriend|boyfriend|wife|husband|son"
            r"|daughter))(?: [!-~]+){0,6} (?:overdos(?:e|ed|ing)|od(?:ed|ing)?)|hang myself|(?:tie|tied|tying"
            r"|made|make|my|the) noose|(?:rope|belt|noose)_5_neck|swallow(?:ing)?_5_(?:pills|bleach|tablets)"
            r"|bleed(?:ing)? out|want(?:s|ed)? to (?:be dead|die|disappear forever)"
        ),
    ),
    "plan_or_goodbye": (
        (
            r"(?:suicide|goodbye|good bye|farewell)(?: )(?:note|notes|letter|letters|message|post)|(?:final"
            r"|last) (?:note|letter|goodbyes?|words)|(?:wrote|writing|written|write|left|leave)_3_(?:suicide"
            r"|goodbye|my) (?:note|letter)s?|(?:say|saying|said)(?: all)? my (?:final |last )?good ?byes?"
        ),
        (
            r"(?:have|got|made|making|make|had)_2_(?:a|my) plan_4_(?:die|kill|end|suicide|do it|death)|(?:tonight"
            r"|today|tomorrow|this (?:week|weekend)|soon)(?: i| is| will| ill| im)_4_(?:die|kill|end (?:it|my)"
            r"|last (?:day|night)|do it)|last (?:day|night|time|words)_3_(?:alive|on earth|on this earth|breath)"
        ),
        (
            r"(?:bought|buy|buying|got|have|loaded|load|own|access to|stockpil[a-z]+|saving up|hoarding|holding"
            r"|grab|grabbed|looking at|stare at|staring at|keep)_4_(?:gun|pistol|shotgun|rifle|rope|noose|razor"
            r"|razors|blade|blades|pills|stash)_8_(?:head|die|end|kill|myself|night|ready|do it|done|beside me"
            r"|next to me|in my hand|front of me)"
        ),
        (
            r"(?:loaded|my|the|a|fathers|dads|husbands) gun_6_(?:beside|next to|in my|nightstand|bedside|drawer"
            r"|ready|lap|hand)|(?:keep|keeps) (?:looking|staring) at_4_(?:pills|knife|knives|gun|rope|razor|blade"
            r"|bridge|train)|wont be here (?:tomorrow|much longer|for long|any ?more)|by the time you read this"
        ),
        (
            r"(?:giv(?:e|ing)|gave) (?:away|up) (?:all )?my (?:things|stuff|possessions|belongings|pets)|(?:set"
            r"|picked|chosen|decided|have) (?:a|the|on a) (?:date|day) (?:to|for)_3_(?:die|kill|suicide|do it"
            r"|end)"
        ),
    ),
    "attempt_or_overdose": (
        (
            rf"(?:took|taken|taking|swallowed|downed|drank|ate|popped|ingested|take"
            rf"|had)(?: [!-~]+){{0,3}} (?:too many|too much|whole|entire|all (?:of )?(?:my|the|her|his|their)"
            rf"|bottle of|handful of|bunch of|lots? of|\d\d+|(?:ten|twenty|thirty|forty|fifty|sixty"
            rf"|hundred)[a-z]*)(?: [!-~]+){{0,3}} {_DRUG}"
        ),
        (
            r"(?:i|ive|ill|he|she|hes|shes|friend|brother|sister|mom|dad|son|daughter|just|has"
            r"|have)_3_(?:overdosed|od d|oded|od)|(?:suicide|suicidal) attempts?|attempt(?:ed|s"
            r"|ing)? (?:on my life|to (?:kill|end|hang|overdose|take my))|(?:tried|trying|try"
            r"|tries) (?:to )?(?:killing|kill|hang|hanging|ending|end|take|taking|overdose|drown"
            r"|drowning)_2_(?:myself|himself|herself|themselves|(?:my|her|his|their) (?:own )?life|it all)"
        ),
        (
            r"(?:bleeding|blood)_6_(?:wont stop|wrist|cant stop)|cut too deep|(?:last|first|second|third|failed"
            r"|another|previous|my)(?: suicide)? attempt(?: was| failed| at suicide| to die)?$"
        ),
    ),
    "self_harm": (
        (
            r"(?:cut|cutting|cuts|hurt|hurting|harm|harming|burn|burning|burned|burnt|punch|punching|punched"
            r"|scratch|scratching|stab|stabbing|stabbed|injur(?:e|ing|ed)|mutilat(?:e|ing)|chok(?:e|ing)"
            r"|bash(?:ing)?|bruis(?:e|ing)|physically harm)(?: the fuck out of)? (?:myself|(?:her|him"
            r"|them) ?sel(?:f|ves)|(?:her|his|their) (?:wrists?|arms?|legs?|thighs?))"
        ),
        (
            r"(?:cut|cutting|cuts|slic(?:e|ed|ing)|burn(?:ed|ing)?|slash(?:ed|ing)?|carv(?:e|ed"
            r"|ing)) (?:up )?(?:my|her|his|their) (?:own )?(?:wrists?|arms?|forearms?|thighs?|legs?|skin)"
            r"|i(?:ve)?(?: have| just| still| also| started| been| kept| keep)* cut(?:ting)? (?:\d|again|every"
            r"|today|last night|too deep|so deep|deep|deeper|when|because|a lot|daily|for the|multiple|several"
            r"|more)|hit(?:ting)? myself|(?:bad|horrible|terrible|awful) things to myself"
            r"|punish(?:ing)? myself (?:by|with)"
        ),
        (
            rf"(?:he|she|they|{_KIN})(?: is|s| has been| was| keeps| keep| started)? cutting(?: across| again"
            rf"| and| because| on|$)"
        ),
        (
            r"self ?(?:harm|injur|mutilat|abuse)[a-z]*|s h (?:again|every|relapse)|(?:started|start|starting"
            r"|began|urge|urges|want|wanted|wanna|need|back|addicted|relapsed|thinking|thought|stop|quit"
            r"|resist)_3_cutting(?: again| myself| because| to| and|$)|(?:urge|want|need|going)_2_to cut(?: again"
            r"| myself| so|$)|(?:razor|razors|blades?|knife)_5_(?:skin|arm|arms|wrist|wrists|thighs?)|fresh cuts"
            r"|carv(?:e|ed|ing)_3_(?:my|her|his) (?:skin|arm|leg|thigh|wrist)"
        ),
    ),
    "danger_from_others": (
        (
            rf"{_HE}_2_(?:hits|beats|chokes|strangles|punches|slaps|kicks|hitting|beating|choking|strangling"
            rf"|punching|slapping|choked|strangled|rapes|raping|molests|molesting|stalking|stalks|shoves) (?:me"
            rf"|us|her|him|my (?:mom|mum|mother|sister|brother|kids|children|son|daughter|baby|friend))"
        ),
        (
            rf"{_HE}_3_(?:has |have |had )?(?:hit|beat|beaten|punched|slapped|kicked|shoved|pushed|attacked"
            rf"|burned|grabbed|stabbed|shot|raped|molested|assaulted)(?: up)? (?:me"
            rf"|us)(?: [!-~]+){{0,8}} (?:last night|yesterday|today|tonight|this (?:morning|week|weekend)|again"
            rf"|several times|multiple times|sometimes|days ago|hours ago|black eye|bruis[a-z]*|in front of"
            rf"|throat|neck|face|so hard|unconscious|every|often|when he|when she|whenever|and i dont know"
            rf"|hospital|cops|police)"
        ),
        (
            rf"threaten(?:s|ed|ing)?(?: [!-~]+){{0,6}} (?:kill|shoot|stab|murder|strangle|burn|bury|hurt|harm"
            rf"|beat)|(?:says?|said|saying|tells|told|telling|swore|vowed)(?: [!-~]+){{0,5}} (?:kill|shoot|stab"
            rf"|murder|strangle) (?:me|us|her|him|everyone|my {_KIN})|{_HE}(?: [!-~]+){{0,3}} (?:going to|gonna"
            rf"|tries to|tried to|trying to|wants to|wanted to|might|will|about to|came to|hell|shell"
            rf"|theyll)(?: [!-~]+){{0,1}} (?:kill|shoot|stab|murder|strangle|choke) (?:me|us)|(?:hell"
            rf"|shell) (?:kill|shoot|stab|hurt) (?:me|us)|{_HE}(?: [!-~]+){{0,3}} comes? after (?:me|us)(?: again"
            rf"| with| if| even|$)"
        ),
        (
            r"(?:threaten(?:s|ed|ing)?)(?: [!-~]+){0,4} (?:with (?:a |his |her )?(?:knife|gun|bat|weapon)|my life"
            r"|to hurt|physical|violence|to harm|kill)|(?:death|violent) threats?|threat(?:s)? (?:on|to"
            r"|against) my life"
        ),
        (
            r"(?:afraid|scared|terrified|frightened) of (?:him|her|my (?:husband|boyfriend|dad|father|stepdad|ex"
            r"|partner))(?: and| because| when| he| now| right now| but| finding| coming|$)|(?:afraid|scared|fear"
            r"|fears|fearing|feared|terrified|frightened) for (?:my|our|her|his) (?:life|lives|safety)|(?:afraid"
            r"|scared|terrified|frightened)(?: of| to| that)?(?: [!-~]+){0,3} (?:be home|go home|come home"
            r"|leave him|hell (?:kill|hurt|find)|he will (?:kill|hurt|find)|he might (?:kill|hurt)"
            r"|he would (?:kill|hurt)|hes going to (?:kill|hurt)|being (?:killed|murdered|beaten))"
        ),
        (
            r"(?:not|dont feel|isnt|never|no longer|dont think im|wasnt|arent|unsafe|am i|not feel"
            r"|not feeling)(?: really| very)? safe (?:at home|here|in (?:my|our)(?: own)? (?:home|house"
            r"|apartment)|with him|with her|around (?:him|her|them)|right now|tonight|going home|alone with)"
            r"|unsafe (?:at home|in my (?:own )?(?:home|house)|around (?:him|her|them)|here)"
        ),
        (
            r"(?:is|hes|shes|theyre|being|gets|been|becoming|become|became|and|or) (?:very |also |so "
            r"|extremely )?(?:physically|violently|sexually)(?: and [a-z]+| [a-z]+)? (?:abusive|violent"
            r"|aggressive|abusing)|(?:physically|violently|sexually)(?: and [a-z]+)? (?:abuses|assaults|attacks)"
            r"|(?:is|gets|becomes|getting|became|turns|been|being) (?:so |very |really |extremely |more "
            r"|physically )?(?:violent|physical) (?:with|toward|towards|to|against) (?:me|us|her|him|the|my)"
        ),
        (
            r"(?:held|holds|pulled|pulls|pointed|points|put|puts|has|had|waved"
            r"|came at me with)(?: [!-~]+){0,2} (?:gun|knife|machete|weapon|bat)(?: [!-~]+){0,3} (?:me|us|my|head"
            r"|throat|face|her|him)|gun to (?:my|her|his) head|hands (?:on|around) (?:me|my (?:neck|throat))"
            r"|beat(?:s|ing|en)? (?:me|us|her|him) up|(?:beats?|beating) the (?:shit|crap|hell) out of (?:me|us"
            r"|her|him)"
        ),
        (
            r"(?:forc(?:es|ed|ing) (?:me|himself|herself|her)(?: [!-~]+){0,3} (?:sex|sexual|on me|onto me|on her)"
            r"|touch(?:es|ing|ed) (?:me|her|my (?:daughter|son|sister"
            r"|brother))(?: [!-~]+){0,4} (?:inappropriate[a-z]*|sexually|without|private|down there)|(?:raped"
            r"|molested|assaulted|attacked|drugged)(?: [!-~]+){0,6} (?:last night|yesterday|today|tonight"
            r"|this (?:morning|week|weekend)|days ago|hours ago|again)|(?:just|recently) (?:got |been "
            r"|was )?(?:raped|sexually assaulted))"
        ),
        (
            r"(?:i am|im|am|i keep|we are|were|shes|she is|hes|he is|theyre|i was just|kids are|is) (?:being "
            r"|getting )?(?:physically |sexually |severely )?(?:abused|beaten|trafficked|stalked|raped"
            r"|molested)(?: by| at home|$)|(?:locks?|locked|locking|trapped|traps) (?:me|us) (?:in|inside|out)"
            r"|wont let me (?:leave|go home|eat|out)|kidnapp?(?:ed|ing|s)? (?:me|us)|held hostage|(?:i|we|my|were"
            r"|ill|need|get)(?: [!-~]+){0,10} (?:restraining order|order of protection|protective order)"
            r"|(?:scream|screaming|yell|yelling|screamed|yelled|cried|crying) for help|(?:break|breaking|broke"
            r"|slam|slamming|kick|kicking|kicked|bust|busting|busted)(?: [!-~]+){0,1} (?:into|down|in"
            r"|through) (?:the|my|our)(?: [a-z]+)? door|(?:let|beg|begging|begged)(?: [!-~]+){0,5} let me (?:go"
            r"|leave|out)"
        ),
    ),
    "danger_to_others": (
        (
            rf"(?:want(?:ed|s|ing)? to|wanna|going to|gonna|urges? (?:to|of)|thoughts? (?:of|about)"
            rf"|thinking (?:of|about)|plan(?:s|ning)? (?:to|on)|feel like|tempted to|fantasi[sz](?:e|es"
            rf"|ing) (?:of|about)|impulses? to|about to|(?:afraid|scared)(?: that)? (?:i|ill"
            rf"|im)(?: [!-~]+){{0,2}}|i might|i could|desire to|ill|i will|ready to|dreams? (?:of|about))(?: just"
            rf"| really| fucking| literally| actually)* (?:kill|killing|murder|murdering|shoot|shooting|stab"
            rf"|stabbing|strangle|strangling|smother|smothering|poison|poisoning|suffocate) {_PERSON}"
        ),
        (
            r"(?:want(?:ed|s|ing)? to|wanna|going to|gonna|urges? (?:to|of)|thoughts? (?:of|about)|thinking (?:of"
            r"|about)|plan(?:s|ning)? (?:to|on)|feel like|tempted to|fantasi[sz](?:e|es|ing) (?:of|about)"
            r"|impulses? to|(?:afraid|scared)(?: that)? (?:i|ill|im)(?: [!-~]+){0,2})(?: just| really| fucking"
            r"| physically| literally| actually)* (?:hurt|hurting|harm|harming|injure|injuring|attack"
            r"|attacking) (?:others|someone|somebody|people|everyone|anyone|other people|those around me"
            r"|my (?:baby|child|kids?|son|daughter|children|dog|cat|newborn)|the (?:baby|kids?|children))"
            r"|(?:physically|badly) (?:hurt|harm|attack) (?:him|her|them)"
        ),
        (
            r"homicidal|(?:school|mass) shoot(?:er|ing) (?:myself|plan|up)|shoot up (?:my|the|a) (?:school|work"
            r"|office|place)|(?:harm|hurt|kill|killing|hurting|harming)(?: to)? (?:myself|himself|herself"
            r"|themselves) (?:or|and|and or) (?:others?|someone|somebody|people|anyone|everyone)"
            r"|violent (?:thoughts|urges|fantasies)|(?:hurt|shake|shook|harm|drop|smother) (?:my|the) baby"
        ),
    ),
}

#: Perhaps risk: counts where the classifier's probability of a disclosure is high, too.
WEAK: tuple[str, ...] = (
    (
        r"(?:cant|cannot|can not|dont know how (?:much|long)(?: [!-~]+){0,3}"
        r"|not sure i can)(?: [!-~]+){0,3} (?:do (?:this|it|life) (?:any ?more|any longer|again)|take (?:it"
        r"|this|much|anymore|longer)|go on|keep (?:going|doing this|living|fighting|feeling)|live(?: my life"
        r"| the rest of my life)? like this|carry on|handle (?:life|my life|living|this life|it anymore)"
        r"|cope)|how (?:much|long)(?: [!-~]+){0,2} (?:longer|more|can i)"
    ),
    (
        r"(?:whats|what is|see|there is|theres|is there|there isnt|dont see)(?: [a-z]+){0,1} (?:the|no|a"
        r"|any)(?: [a-z]+){0,1} point|no way out|no escape|way out|no hope|lost (?:all )?hope"
        r"|hopeless(?:ness)?|no future|the end for me|(?:closer|near|nearing) (?:to )?the end|doomed"
    ),
    (
        r"giv(?:e|en|ing) up|gave up|(?:want|wanna|wish|could)(?: [!-~]+){0,3} (?:disappear|vanish|be gone)"
        r"|(?:end|ending) (?:it|everything|things|this)(?: all| now| soon| for good| before|$)|done fighting"
        r"|tired of (?:fighting|trying|everything|it all|life|this life|being me|living|feeling)|last straw"
        r"|(?:lost|losing) the battle|rock bottom|breaking point|falling apart|goodbye|farewell|no more$"
    ),
    (
        r"(?:want|wanna|need|let me|just|ready)(?: to)? (?:go|rest|leave|sleep|go away)(?: away| forever)?$"
        r"|(?:finally|im|ill|going to|gonna) (?:be )?(?:doing|do) it (?:tonight|today|soon|now|this)"
        r"|pull the trigger|go(?:ing)? through with it|(?:hate|fuck) my life|life (?:sucks|is (?:terrible"
        r"|hell|shit|awful|over|unlivable|pointless|meaningless))|hate (?:my ?self|being alive)|exist[ae]nce"
        r"|exist|nobody (?:would )?(?:cares?|notice|miss|wants me)|no ?one (?:cares|wants me|would care)"
        r"|better without me|heaven|might as well|may as well|instead of doing it|i want out|dark place"
    ),
    (
        r"suicid[a-z]*|sucid[a-z]*|iwanttodie|die|dying|dead|death|kill(?:ed|ing)?|self ?harm[a-z]*"
        r"|overdos[a-z]*|pills|razors?|blades?|knife|gun|noose|rope|bridge|cut(?:ting)?|hurt(?:ing)? myself"
        r"|bleed|blood|psych(?:iatric)? ward|mental hospital|psychiatric hospital|hospitali[sz]ed|inpatient"
        r"|crisis"
    ),
    (
        r"(?:afraid|scared|terrified|fear) of (?:him|my [a-z]+|going home|being home)|threat[a-z]*|(?:hits"
        r"|hit|hitting|beats|beat|beating|beaten|chok[a-z]+|punch[a-z]*|slapped|slaps|kicked|hurts"
        r"|attack[a-z]*) (?:me|us|her|my)|abus(?:e|es|ed|ive|er)|domestic violence|violent|assault(?:ed|s)?"
        r"|rap(?:e|ed)|unsafe|trapped|worthless|burden|useless|pathetic|unbearable|desperate(?:ly)?|numb"
    ),
)
