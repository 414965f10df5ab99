"""In whose voice a reply speaks: a person with a life, a platform, a seller, a crowd worker. Read on ``plain`` text.

A reply of an assistant must speak as none of them.
"""

from __future__ import annotations

_OWN = (
    r"(?:husband|wife|ex|exes|hubby|spouse|fianc[a-z]*|boyfriend|girlfriend|bf|gf|partner|so|mother|mom"
    r"|mum|mama|father|dad|parents?|kids?|children|sons?|daughters?|baby|brothers?|sisters?|siblings?"
    r"|twin|grandma|grandmother|grandpa|grandfather|aunt|uncle|cousins?|nephew|niece|family|in laws"
    r"|friends?|best friend|buddy|roommates?|neighbou?rs?"
    r"|therapist|psychiatrist|psychologist|counsell?or|doctor|gp|dr|boss|coworkers?|colleagues?|teachers?"
    r"|professor|job|work|career|school|college|university|degree|dissertation|office|practice"
    r"|private practice|clients?|patients?|students?|supervisor|childhood|teens|twenties|thirties|youth"
    r"|marriage|divorce|wedding|pregnancy|birth|birthday"
    r"|own (?:life|experience|experiences|struggles?|depression|anxiety|recovery|therapy|journey|past"
    r"|history|kids|family|home|trauma|childhood|story|mental health|issues|problems)|(?:personal |past "
    r"|previous |professional |clinical |life )?experiences?|life|depression|anxiety|ptsd|adhd|ocd"
    r"|bipolar|bpd|autism|eating disorder|addiction|recovery|sobriety|illness|diagnosis"
    r"|disorder|condition|meds|medication|medications|antidepressants?|dogs?|cats?|pets?|house|home"
    r"|apartment|car|bed|body|weight|age|country|town|city|church|faith|religion|day|week|weekend|morning"
    r"|mood|sleep|scars?|grades|exams?|debt|savings|hair|skin|stomach|head|back|hands?|training|education"
    r"|license|licence|field|profession|years)"
)
_STATE = (
    r"(?:depressed|anxious|lonely|suicidal|abused|raped|assaulted|molested|bullied|cheated|dumped|fired"
    r"|laid off|divorced|separated|married|single|pregnant|sick|ill|diagnosed|hospitali[sz]ed|adopted"
    r"|raised|born|homeless|broke|unemployed|jobless|addicted|an addict|sober|alcoholic|an alcoholic"
    r"|overweight|obese|anorexic|bulimic|bipolar|autistic"
    r"|schizophrenic|gay|lesbian|trans|bisexual|straight|christian|muslim|jewish|catholic|atheist"
    r"|american|british|canadian|indian|retired|homeschooled|clean|in (?:therapy|recovery|rehab"
    r"|a (?:similar|same)|the (?:same|hospital|military|army|psych ward)|your (?:shoes|position|situation"
    r"|place)|high school|college|school|love|debt)|on (?:meds|medication|antidepressants)"
    r"|heartbroken|devastated|crying|drunk|exhausted|burnt out|shy|introvert(?:ed)?|an introvert|scared"
    r"|terrified|at (?:work|school|home)|there (?:too|once|myself|before)|like (?:that|this|you) (?:too"
    r"|once|before|until|for|when)|the same (?:way|age|boat)|going through|dealing with|struggling"
    r"|suffering|recovering|experiencing|having (?:a|the|trouble|panic|similar)|working (?:at|as|in|on"
    r"|full)|studying|living|dating|seeing a|taking (?:meds|medication|zoloft|prozac|lexapro))"
)
_PROFESSION = (
    r"(?:therapists?|psychotherapist|psychologists?|psychiatrists?|counsell?ors?|doctors?|physician"
    r"|nurses?|social worker|life coach|coach|teachers?|professor|students?|lawyer|veteran|vet|soldier"
    r"|engineer|programmer|manager|artist|writer|musician|parent|mother|mom|mum|father|dad|husband|wife"
    r"|grandmother|grandparent|sister|brother|widow|widower|survivor|recovering"
    r"|woman|man|girl|guy|boy|male|female|teen|teenager|adult|human|person who|fellow|introvert|extrovert"
    r"|addict|alcoholic|christian|believer|believer|clinician|professional|practitioner|specialist|lmft"
    r"|lcsw|lpc|mft|phd|psyd|lmhc|hypnotherapist|years? old|year old|yo|f|m|\d\d ?[mf]|single|former"
    r"|retired|licensed|certified)"
)

_SAYS = (
    r"(?:just|really|also|do|does|did|would|can|could|will|cant|cannot|may|might|must|should|wont|want"
    r"|wanted|hope|think|believe|wonder|wondered|guess|suppose|imagine|understand|hear|heard|see|sense"
    r"|notice|noticed|appreciate|suggest|recommend|encourage|invite|agree|disagree|know|mean|meant|get|am"
    r"|wish|find|assume|say|said|ask|asked|offer|help|support|gather"
    r"|gathered|assure|promise|admire|respect|applaud|commend|apologi[sz]e|acknowledge|dont|do not|didnt"
    r"|wouldnt|couldnt|shouldnt|totally|completely|fully|certainly|definitely|truly|sincerely|honestly"
    r"|absolutely|strongly|highly|only|still|read|see|thank|welcome|bet|doubt|dare|trust|care|understood"
    r"|urge|advise|propose|refer|misunderstood|missed|like how|like that|love that|love how|love your"
    r"|like your|so|too|very much|kindly|simply|hereby)"
)

#: Taken out first: what an assistant, too, may say of itself.
NOT_A_PERSON: tuple[str, ...] = (
    (
        r"(?:im|i am|as|being) (?:just |only |still )?an? (?:ai|artificial|language model"
        r"|large language model|assistant|computer|machine|bot|chatbot|program)(?: [!-~]+){0,3}"
        r"|my (?:heart (?:goes|breaks|aches|hurts)|sincere|deepest|condolences|sympath[a-z]+|thoughts are"
        r"|understanding|suggestions?|advice|recommendations?|opinion|apolog[a-z]+|pleasure|questions?"
        r"|concern|hope|guess|point|impression|sense|bad|dear|god|goodness|best|training data|knowledge"
        r"|responses?|answers?|words|role|purpose|friend|head|view|end|mind|google|lord)"
    ),
    (
        r"(?:if|as if|imagine|suppose|say|pretend|when you say|you could say|could say|tell (?:him|her|them"
        r"|yourself)|ask yourself|said|says|saying|think|thinking|thought|thoughts like|such as|like|message"
        r"|try saying|respond with|feel like|asking)(?: that| something like)? (?:i|im|ive|id"
        r"|my)(?: [!-~]+){0,4}|if i (?:was|were) you|(?:i )?wish i (?:was|were|could)"
    ),
    (
        rf"(?:i|id|ill|we) {_SAYS}(?: {_SAYS})*(?: to)?(?: see| hear| know| help| say| ask| let you know"
        rf"| feel for you| add| point out| offer| share| be able| invite| encourage| suggest| recommend"
        rf"| acknowledge| check| make sure| understand| learn| talk| be| have| assist| support| tell| give"
        rf"| provide| go| start| work| explore| consider| look| try| find)?"
    ),
    (
        r"(?:im|i am|i was|ive been|i have been|ill be|i will be|id be|i would be)(?: just| so| very| really"
        r"| truly| also| always| only| still| not| deeply| extremely| terribly| happy| glad| a bit| a little"
        r"| here)* (?:wondering|thinking|curious|hoping|glad|happy|sorry|sad|here|listening|sure"
        r"|going to (?:say|ask|suggest)|able|unable|saying|told|confident|proud|afraid (?:i|that)|concerned"
        r"|worried (?:about you|for you|that)|hearing|sensing|noticing|grateful|delighted|pleased|thankful"
        r"|willing|impressed|touched|moved|sorry|certain|confused|interested|guessing|assuming|aware|asking"
        r"|trying to (?:understand|help|say)|looking forward|excited for|honou?red|with you|rooting|cheering"
        r"|on your side|qualified|trained|a good listener|all ears|open to|available|positive you|fine|so"
        r"|quite|trying|not|all right|alright|good|well|okay|ok)"
    ),
    (
        r"(?:i have|ive|i had) (?:no doubt|a (?:few )?(?:questions?|suggestions?|feeling|thought|sense"
        r"|couple)|some (?:ideas|suggestions|questions|thoughts|information|advice)|faith|confidence|hope"
        r"|every|understood|heard you|heard that|read (?:your|what|that)|to (?:say|ask|admit|agree|wonder)"
        r"|enjoyed|no idea|listed|provided|included|put together|noticed)|i need (?:you|more|to (?:know"
        r"|understand|ask|clarify))|i feel (?:for you|like you|that you|your|sad (?:for|that|to)|sorry"
        r"|like there|like this|as if you|confident|bad for you|the need|a (?:bit|little) (?:confused"
        r"|concerned)|you (?:are|need|should|have))|(?:tell|let|help|give|show|remind|allow|correct|forgive"
        r"|excuse|pardon|trust|believe|ask|talk to|with|seems to|sounds to|it strikes|strikes|from"
        r"|for) me(?: know| more| understand| hear)?|i (?:was|am|were)$|(?:so|neither) (?:am|do) i|(?:you and"
        r"|and) i|me$"
    ),
)
_AFTER_I = r"(?:i|ive|im|id|ill) [a-z]+"
#: Claims a human life.
POSES: tuple[str, ...] = (
    rf"(?:my|our) (?:[a-z]+ )?{_OWN}",
    (
        r"(?:when|while|since|after|before|until|because|as|once|back when|time when) i (?:was|were|am|had"
        r"|have|got|went|lost|started|began|moved|lived|felt|grew|hit|turned|became|broke|left|quit|first"
        r"|finally|feel|get|struggled|used|tried|came|met)"
    ),
    (
        rf"(?:i|ive|im|id)(?: am| was| have| had| have been| been| got| get| too| also| myself| still| just"
        rf"| used to be| were| have also| once| recently| actually| personally| currently| often| felt"
        rf"| feel)* {_STATE}"
    ),
    r"(?:ive|i have|i had|i also|i too|i myself|i personally|i)(?: also| too| personally| had| been"
    r"| actually| recently| definitely| certainly| even| totally| once| never| always| often| just| have"
    r"| ever| all)* (?:been (?:there|through|in|where|feeling|doing|going|having|trying|dealing|working"
    r"|married|depressed|struggling|on|to|with|single|diagnosed|a|an|cheated|hurt|called|seeing|told)"
    r"|gone through|went through|going through|went to|go to|go through|struggled|struggle|suffered"
    r"|suffer|dealt with|deal with|experienced|lived|live in|live with|live alone|grew up|battled|battle"
    r"|survived|overcame|lost (?:my|a|both|someone|weight|everything|several|many)|cried|cry|drank|drink"
    r"|smoked?|tried|quit|attempted|cut|graduated|studied|worked|work (?:with|as|at|in|for|from)|learned"
    r"|learnt|moved|married|divorced|broke up|dated|met|bought|took|started|stopped|found (?:that|it|out"
    r"|myself|a)|felt (?:like|the same|that|this|so|very|really|exactly|similar|pretty|it)|feel the same"
    r"|used to|relate|can relate|could relate|remember|recall|watched|read|joined|lied|hated|hate my"
    r"|love my|loved|miss my|missed|realized|realised|decided|slept|ate|eat|ran|run|exercise|meditate"
    r"|pray|journal|write in|go for|take (?:meds|medication|walks))",
    (
        rf"(?:im|i am|i was|speaking as|coming from|ive been)(?: also)? (?:an? |the |your |only |just "
        rf"|\d+ )?(?:fellow |licensed |former |trained |professional |practicing |retired |single "
        rf"|recovering |clinical |certified |registered |proud |young |busy |working |full time "
        rf"|[a-z]+ )?{_PROFESSION}"
    ),
    (
        r"(?:me too|same here|same boat|im in the same|i know (?:exactly )?(?:how|what|that feeling"
        r"|the feeling)(?: (?:it|that|this|you|youre|you are)(?: [!-~]+){0,2} (?:feel|feels|like|feeling"
        r"|going|through|mean)| feel)|i know the feeling|i know (?:it|that|this) (?:is|feels|from)|i feel you"
        r"|ive (?:felt|had|done|seen|known|heard|met|learned|made|lost|tried|struggled|always|never|found"
        r"|read|gotten|got)|i had (?:a|an|the|to|no|my|some|similar|this|that|one|panic|depression|anxiety"
        r"|trouble|been|so|such|several|many|lots)|i have (?:a|an|had|the same|similar|depression|anxiety"
        r"|adhd|ocd|ptsd|bpd|bipolar|kids|children|two|three|four|\d+|no (?:friends|family|job|kids|money"
        r"|idea what its like)|some friends|friends|family|many friends|lots of|trouble|issues|panic|seen"
        r"|lost|worked|known|met|lived|trust|social)|happened to me|for me (?:it|personally|i|this|that|the)"
        r"|(?:helped|helps|worked|works|worked well|saved|changed) (?:for )?me|me and (?:my|a)"
        r"|myself (?:included|as well|too)|im \d\d|i am \d\d|my name is)"
    ),
    # what the list above leaves of a first person who does, has or feels something
    _AFTER_I,
    (
        r"(?:my|mine) [a-z]+|(?:made|makes|hurt|hurts|told|gave|left|taught|got|drove|kept|keeps|drives"
        r"|bothers|scares|upset|about|loves|loved) me"
    ),
    (
        r"i (?:was|am)(?: [!-~]+){0,2} (?:years? old|your age|teenager|kid|child|student|therapist"
        r"|counsell?or|psychologist|young|younger|little|mother|father|parent|in (?:your|a similar|the same))"
    ),
)

#: The same, in words that :data:`NOT_A_PERSON` would take out.
POSES_PLAINLY: tuple[str, ...] = (
    rf"as an? (?:[a-z]+ ){{0,2}}{_PROFESSION}(?: [!-~]+){{0,3}} (?:i|my|ive|im|myself)",
    (
        r"(?:i|ive|we)(?: have| often| also| sometimes| usually| always| typically| frequently)* (?:see|seen"
        r"|work|worked|working|help|helped|treat|treated|counsel|counseled|practice|specialize"
        r"|specialise)(?: [!-~]+){0,3} (?:clients?|patients?|couples|families|clinically|therapy|practice"
        r"|teens|adolescents|adults|individuals|women|men|people (?:who|with|like|in))|(?:clients?"
        r"|patients?) (?:of mine|i|who come|ive)|in my (?:experience|practice|office|work|life|case"
        r"|opinion as|family|country|school|sessions|house|culture|twenties|teens|past|own|career"
        r"|relationship|marriage)"
    ),
    (
        r"i know (?:exactly |just |all too well )?(?:how (?:you feel|that feels|it feels|hard it is"
        r"|this feels)|what (?:its|it is|thats|youre going through|you mean))|i feel (?:the same|you$)"
        r"|i do (?:the same|that too|it too|have|like|love|feel like|this)(?: [!-~]+){0,3}|i (?:dont|do not"
        r"|didnt|did not) (?:live|like|have (?:any|a|much|many|time|money)|drive|eat|sleep|drink|watch|own"
        r"|work|go)|(?:i|ill|i will|we)(?: will| am| be| ll)* pray(?:ing|ed)?(?: for)?|(?:im|i am|we are"
        r"|were)(?: actually| currently| still)? (?:at (?:the|my|work|home)|from|in (?:the|my) (?:office|car"
        r"|hospital|same))|i just (?:watched|saw|got|had|ate|finished|came|went|did|bought|started|moved"
        r"|lost)|we used to|^(?:hi |hello |hey )(?:i am|im|this is) [a-z]+$|my name is|i too have"
        r"|i also (?:have|had|feel|felt|was|am|did|like|love|struggle|suffer)|i (?:wouldnt|couldnt) have"
        r"|(?:im|i am) not (?:a|an|really an?|very|super|much of an?|that) [a-z]+|i would (?:love|like) (?:a"
        r"|some|to (?:get|go|have|be able|sleep|eat|finish|travel|visit))|\d\d ?[mf] here|i wish the same"
        r"|i (?:dont|do not) see any (?:meaning|point|purpose|hope)|(?:im|i am) hoping to (?:get|be|find"
        r"|finish|have|go)|believe me i|i do know personally|^never been|^(?:me too|same|same here|ditto)"
        r"|^same (?:boat|here|thing)|i only have|i want to be (?:able|up|a|the|more)|(?:we|i) hope and pray"
    ),
    # found by reading examples of made sets: what "i know", "i am also" and "if i" took out before they could fire
    (
        r"i know the feeling|i know that feeling(?: too| so| all| very| well|$)|i know(?: this| that| it)? (?:from|by)"
        r" (?:my |own |personal |bitter |first ?hand )*experience|(?:coming|speaking|take it|this is) from"
        r" some(?:one|body)? who|as some(?:one|body) who_8_(?:i|ive|im|my)|(?:im|i am) (?:the|your) (?:therapist"
        r"|counsell?or|psychologist|doctor|coach)|(?:we|i)(?: all)? (?:can|could|would) meet(?: together| with you| you)*"
        r" (?:for a (?:session|consultation)|in person)|(?:in|at|during) (?:college|high school|university|grad school)"
        r" i|(?:i would|id)(?: also| really| absolutely| totally)* hate (?:it|that)(?: too| also| if my|$)"
        r"|(?:im|i am|i was) also(?: very| really| quite| pretty| a bit| so)* (?:laid back|easy ?going|nonchalant"
        r"|introverted|shy|outgoing|stubborn|impatient|unemployed|stressed)"
    ),
)

#: Speaks of the place it was written for.
PLATFORM: tuple[str, ...] = (
    (
        r"platforms? like this|(?:people|users|folks) online (?:right now|here)|send (?:me|us) (?:a |an "
        r"|your )?(?:pm|dm|message|msg|private message|email)|(?:another|other|fellow|some) (?:users?"
        r"|posters?|commenters?)|(?:the|a|this|my|depression|anxiety|other) subs?(?: and| for| is|$)"
        r"|i (?:have|made|wrote) a post|(?:thank you|thanks) (?:so much |very much )?for (?:asking|posting"
        r"|submitting|writing in)|(?:month|months|week|weeks|year|days) old (?:post|thread|but|so)"
        r"|not with us here|(?:days|months|weeks|year) late to this"
    ),
    (
        r"up ?vot(?:e|es|ed|ing)|down ?vot(?:e|es|ed|ing)|sub ?reddits?|reddit(?:or|ors)?"
        r"|r [a-z]{4,25} (?:sub|has|for|might|helped|can)|(?:at|on|in|try|join|visit|check out|post to|over to)"
        r" r [a-z]{4,25}|suicide ?watch|op|ops|tl ?dr|cross ?post[a-z]*"
        r"|throw ?away account|throwaway|moderators?|side ?bar|lurk(?:er|ers|ing)?|this (?:sub|thread|forum"
        r"|board|post)|(?:on|from|in|to|of|using|joined|for) this (?:site|website|platform|community|app)"
        r"|(?:add|have|is) my (?:snap|insta|discord|kik|number|email)|(?:other|the) (?:therapists"
        r"|counsell?ors|answers|responses|posters|people)(?: [!-~]+){0,1} here|the (?:sub|forum|thread"
        r"|sidebar|other (?:answers|responses|comments|posters|commenters|posts))"
    ),
    (
        r"(?:pm|dm|pms|dms|inbox|private message|direct message|hmu|hit|message|pming)_1_(?:me|you)(?: up| if"
        r"| any| anytime| when| whenever| and|$)|(?:feel free to|you can|please|can always|always|just"
        r"|welcome to|want to|wanna|like to)(?: also| always)? (?:pm|dm|call|text|email|contact|add|message"
        r"|write|reach)(?: out to)? me|(?:in|my|slide into|check your|open) (?:the )?(?:dms?|pms?|inbox)"
        r"|pms? (?:are|is)|(?:thanks?|thank you)(?: [!-~]+){0,3} (?:post(?:ing)?|question|reaching out"
        r"|asking (?:here|this question|that)|writing in|your (?:question|post|message|inquiry)|submitting"
        r"|sharing your question)"
    ),
    (
        r"(?:your|this|his|her|ops|another|previous|original|first) (?:post|posts|posting|comment|thread"
        r"|post history|submission|username|question here)|(?:from|in|read|reading) (?:your (?:post|question"
        r"|posting)|the post)|(?:posted|posting) (?:here|this|about (?:it|this)|again|an update|in (?:this|r)"
        r"|on (?:here|this|reddit))|post (?:here|in this|on here|again)|(?:these|the|other|my"
        r"|below) comments? (?:section|here|below|above)|comment(?:ed|ing)? (?:here|below|on (?:this|your))"
        r"|commenters?|update us|keep us (?:posted|updated)|^edit(?: \d)?|edited to add"
    ),
    (
        r"(?:call|contact|visit|email|text|reach)(?: [!-~]+){0,2} (?:my office|our office|me at|us at|me on"
        r"|my website|our website|my site|my blog|our site)|(?:visit|check out|see|find|on|at|go to) (?:my"
        r"|our) (?:web ?site|site|blog|page|profile|channel|podcast|video|practice)|counsel ?chat|7 ?cups"
        r"|talkspace|better ?help|psychology ?today|talk ?life|on here (?:that|who|seeking|to|for|is|are|and"
        r"|if|because|looking)|online forum|internet strangers?|strangers? on the internet"
        r"|random (?:internet )?(?:stranger|person on)"
    ),
    (
        r"(?:limited|little|enough|more|only) information (?:here|in your (?:post|question)"
        r"|you (?:have )?(?:provided|gave|posted))|(?:know|say|diagnose|tell|knowing|assess"
        r"|advise)(?: [!-~]+){0,8} (?:online|over the internet|on this|in this (?:format|forum|medium))"
        r"|over the internet|this (?:format|medium)"
    ),
)

#: Sells or advertises.
PROMOTES: tuple[str, ...] = (
    r"my (?:most recent|latest|recent|last|new|newest) (?:post|article|blog|video|book|podcast|episode|course)",
    (
        r"(?:my|our) (?:new |latest |own |free |online |private |professional |group |weekly )*(?:web ?site"
        r"|site|blog|ebook|channel|podcast|course|courses|coaching|practice|private practice|services|office"
        r"|workshops?|videos?|articles?|newsletter|seminars?|webinars?|profile|app|clinic"
        r"|counsell?ing (?:services|practice))|(?:read|buy|get|see|check out|find|recommend|wrote) my (?:new "
        r"|latest |own )?(?:book|books|ebook)(?: on| about| called| titled|$)"
    ),
    (
        r"(?:call|contact|email|visit|schedule|book|reach|text)(?: [!-~]+){0,4} (?:me at|us at|my office"
        r"|our office|free (?:consultation|session|call|phone)|a session with me|(?:appointment|consultation"
        r"|session) with (?:me|us)|request a consultation|consultation)|(?:to |and )request a consultation"
        r"|free (?:consultation|consult|phone consultation|session|15|20|30|assessment|ebook|webinar"
        r"|relationship q&a)|first session (?:is )?free|(?:i|we) (?:offer|provide|accept|am accepting"
        r"|specialize in|specialise in|am available for|do (?:online|phone|skype"
        r"|video))(?: [!-~]+){0,6} (?:sessions?|counsell?ing|therapy|coaching|clients?|insurance"
        r"|consultations?|courses?|programs?|skype|online|appointments?|services|couples|individuals|teens"
        r"|trauma|anxiety)"
    ),
    (
        r"(?:lmft|lcsw|lpcc?|lmhc|lpc s|mft|psyd|psy d|phd|ph d|med lpc|lcpc|lmsw|msw|licsw|cadc|ncc|m s w"
        r"|l m f t|l c s w|l p c|chht|cht|rpc|ccc|lmfta|lpca|lpc intern|bcba|dcc)$|(?:lmft|lcsw|lpc|lmhc|psyd"
        r"|phd|mft|ma|ms|med|msw) (?:lmft|lcsw|lpc|lmhc|psyd|phd|mft|ncc|lcpc|cadc|weblink|www)"
    ),
    (
        r"(?:warmly|sincerely|best regards|kind regards|regards|best wishes|in kindness|be well|namaste"
        r"|yours truly|blessings|respectfully|cheers|best of luck|wishing you (?:the best|well|all the best)"
        r"|take care|all the best|good luck)(?: [a-z]+){0,4} (?:lmft|lcsw|lpc|lmhc|psyd|phd|mft|ma|ms|msw"
        r"|therapist|counsell?or|coach|weblink|licensed|dr)"
    ),
    (
        r"(?:click|download|subscribe|sign up|register|find me|follow me)(?: [!-~]+){0,5} (?:weblink|amazon"
        r"|here|[a-z0-9-]+\.(?:com|net|org))(?: [!-~]+){0,3}$|(?:visit|check out|see) (?:weblink"
        r"|[a-z0-9-]+\.(?:com|net))|i (?:wrote|have written|published|authored|created|developed|teach"
        r"|founded)(?: [!-~]+){0,4} (?:book|ebook|article|blog|course|program|app|workshop|podcast|guide"
        r"|website)|author of|(?:co ?host|cohost)|use (?:my )?code|this [a-z]+s free|sliding scale with me"
    ),
    (
        r"i(?:m| am) (?:a |an )?(?:licensed|certified|registered|board certified"
        r"|clinical)(?: [!-~]+){0,5} (?:in|at|with|located|practicing|based)"
    ),
)

#: Talks of the crowd-work it was paid for.
TASK: tuple[str, ...] = (
    (
        r"(?:this|the|another|our|your|these|those|other|more|do|doing|of|good|some|many|any|on|accept|my"
        r"|chat|paid) hits?(?: (?:on|task|work|today|is|before|for|right|that|unless|here|now|so|was|i|and"
        r"|pays?|approved|rejected|submit[a-z]*)|$)|mturk(?:er|ers|ing)?|m turk|amazon turk|turkers?"
        r"|mechanical turk|turking|requesters?|worker id|crowd ?work(?:er|ers)?|base pay(?:ment)?"
        r"|bonus (?:payment|for (?:this|the) (?:hit|task|chat))|approv(?:e|ed|al)(?: [!-~]+){0,2} (?:hit"
        r"|rate)|get(?:ting)? paid for this"
    ),
    (
        r"(?:this|our|that|another|the) (?:survey|questionnaire|role ?play|chat ?room|timer)|(?:this"
        r"|our) (?:task|study|experiment|scenario)|(?:in|from|for|with|to|on|end|ended|enjoyed|during|leave"
        r"|like|after|rate|finish|close) (?:this|our) (?:chat|conversation) ?(?:here|now|today|please|survey"
        r"|first|yet|and|if|so|before|on|$)|the (?:task|study|chat|interface|instructions?|scenario"
        r"|system) (?:is|was|says|said|wont|will|asks|requires|now|button|page|to end|needs|told|tells|ended"
        r"|over|lets|gave|rules)|(?:finish|complete|completing|submit|do|doing|start|take|taking|fill"
        r"|fill out|filling out|participat[a-z]+ in)(?: [!-~]+){0,2} (?:survey|surveys|questionnaire|hits?"
        r"|experiment)"
    ),
    (
        r"(?:quit|end|leave|exit|close|finish|stop|terminate|conclude|wrap up|ending|quitting|closing"
        r"|finishing|leaving)(?: [!-~]+){0,2} (?:chat|conversation|convo|chat window|chatting)|(?:press|click"
        r"|push|hit)(?: [!-~]+){0,5} (?:button|quit|submit|exit|continue|end)|quit button|quit first|(?:can"
        r"|could|will|please|would)(?: you)?(?: please)? quit(?: now| first| on your (?:end|side)"
        r"| from your (?:end|side)|$)|(?:you|i) (?:can|may|should|need to|have to"
        r"|must)(?: now)? (?:quit(?: now| first| here|$)|end (?:it|this)(?: now| here| on| your|$)|submit)"
        r"|(?:on|from) your (?:end|side)(?: i cant|$)|session is over"
    ),
    (
        r"(?:rate|rating|score|evaluate) (?:me|this chat|this conversation|our (?:chat|conversation)"
        r"|the (?:chat|conversation|session)|my performance)|(?:good|high|five star|5 star) rating|(?:other"
        r"|second|next|another) (?:worker|participant|turker)|(?:as|you are|youre|im|i am|being|play"
        r"|playing) (?:the|a) (?:seeker|help ?seeker|peer supporter|supporter here)|(?:seeker"
        r"|supporter) (?:role|side|survey)|(?:reached|need|few|\d+|more) (?:more )?(?:messages|turns"
        r"|utterances|exchanges|minutes left)(?: to| before| left| until|$)|minutes left to"
        r"|no more (?:messages|turns)|(?:time|timer) (?:is up|ran out)|are you (?:there|still there|a (?:bot"
        r"|robot|real person)|still here)|got disconnected|were disconnected|waiting for (?:you"
        r"|your) (?:reply|response)|\d+ (?:more )?minutes(?: [!-~]+){0,4} (?:chat|end|quit|conversation)"
    ),
)
