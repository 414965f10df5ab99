"""Where a reply points to help, and where it only sends away. Read on :func:`classifiers.conduct.text.plain` text."""

from __future__ import annotations

_PROFESSIONAL = (
    r"(?:therap(?:ists?|y|ies)|psychotherap(?:ists?|y)|psycholog(?:ists?|y)|psychiatrists?"
    r"|psychiatric [a-z]+|counsell?ors?|counsell?ing|coun[cs][a-z]*l[a-z]*ing|councell?ors?"
    r"|doctors?|physicians?|gp|gps|pcp|paediatrician|pediatrician|gyn[a-z]*|obgyn|endocrinologist"
    r"|neurologist|professionals?|professional help|specialists?|treat(?:ing|ment) (?:source|provider"
    r"|team)|nurse|midwife|social workers?"
    r"|social services?(?: office)?|case ?workers?|clinicians?|clinics?|rehabs?|detox|hospitali[sz]ation"
    r"|treatment (?:center|centre|program|facility)|mental health (?:[a-z]+)|support (?:groups?"
    r"|organi[sz]ations?|lines?|services?|networks?)|self help groups?|shelters?|womens (?:aid|shelter"
    r"|refuge)"
    r"|alcoholics anonymous|aa|al anon|alanon|narcotics anonymous|na meetings?|12 step|smart recovery"
    r"|nami|rainn|hospice|legal aid|lawyer|attorney|legal (?:counsel|advice|help)|chaplain|pastor|priest"
    r"|rabbi|imam|minister|clergy|guidance (?:counsell?or|office)|hr|human resources"
    r"|child protective services|cps|adult protective services|social services|police|authorities"
    r"|law enforcement|protective order|restraining order|life coach|mentor|support worker|eap"
    r"|employee assistance[a-z ]*|dietitian|nutritionist"
    r"|lgbt[a-z]* (?:center|centre|group|organi[sz]ation)s?|crisis [a-z]+|advocates?|advocacy [a-z]+"
    r"|medical (?:help|attention|advice|care|provider)|health ?care (?:provider|professional)s?|care team"
    r"|intensive outpatient)"
)
_TRUSTED = (
    r"(?:someone|somebody|some one|a person|an adult|a grown ?up|a friend|friends|a close friend"
    r"|your (?:closest |best |good )?friends?|family|your family|family members?|a family member"
    r"|a relative|relatives|loved ones?|a loved one"
    r"|your (?:parents?|mom|mum|mother|dad|father|sister|brother|siblings?|grandparents?|grandma|aunt"
    r"|uncle|teachers?|coach|school)|a (?:teacher|parent|coach|mentor|sibling|trusted [a-z]+|close [a-z]+"
    r"|supportive [a-z]+|neighbou?r|support system|supportive person)"
    r"|trusted [a-z]+|teachers?|parents|those you trust|people you trust|support system|support network"
    r"|(?:your|an?) (?:adult|support)s?)"
)
_TURN = (
    r"(?:see|seeing|talk(?:ing)? (?:to|with|about (?:it|this|that) (?:to|with)|this (?:over|through) with"
    r"|it (?:over|through) with)|speak(?:ing)? (?:to|with)|spoken? (?:to|with)|talked (?:to|with)"
    r"|seek(?:ing)?(?: out)?|sought|find(?:ing)?|consult(?:ing)?(?: with)?|contact(?:ing)?"
    r"|visit(?:ing)?|reach(?:ing)? out(?: to| for)?|reached out to|turn(?:ing)? to|look(?:ing)? (?:for"
    r"|into|up|at)|get(?:ting)?|call(?:ing)?|phone|ring|text(?:ing)?|try(?:ing)?|think(?:ing)? about"
    r"|thought about|consider(?:ing|ed)?|recommend|recommended|suggest|encourage|advise|work(?:ing)? with"
    r"|meet(?:ing)? with|meet|go(?:ing)? (?:to|into|for|see)"
    r"|appointment with|ask(?:ing)?(?: for)?|help (?:of|from)|support (?:of|from|through)"
    r"|assistance (?:of|from)|guidance (?:of|from)|check(?:ing)? (?:with|in with|out)"
    r"|search(?:ing)?(?: for)?|tell(?:ing)?|told|confid(?:e|ing) in|open(?:ing)? up (?:to|with)"
    r"|connect(?:ing)? with|involve|engage|join(?:ing)?|attend(?:ing)?|need|needs"
    r"|share(?:d)? (?:this|it|that|your feelings|how you feel|with)(?: with)?|discuss(?:ing)?(?: this| it"
    r"| that)? with|bring(?:ing)? (?:this|it) (?:up )?(?:to|with)|available (?:through|from|at)"
    r"|refer(?:red|ral)? (?:you )?to|benefit from|start(?:ing)?(?: with)?|schedule|book|make|set up"
    r"|enter(?:ing)?|hire|use)"
)
_SKIP = r"(?: [!-~]+){0,6}"

#: Taken out first: the helper's own life, and people who are no help meant for the reader.
NOT_HELP: tuple[str, ...] = (
    r"(?:i|im|ive|id|we|weve)(?: am| was| have| had| have been| finally| also| just| still| recently"
    r"| used to| started| did)* (?:saw|see|seeing|went to|go to|going to|talk to|talked to|talking to"
    r"|speak to|spoke to|spoke with|called|call|asked|found|got|get|met|work with|worked with|have|had"
    r"|started|tried|told)"
    r"(?: [!-~]+){0,3} (?:therap(?:ist|y)|psychologist|psychiatrist|counsell?ors?|counsell?ing|doctors?"
    r"|gp|police|support group|mom|mum|dad|mother|father|parents|friends?|family|teacher|sister|brother"
    r"|priest|pastor)",
    (
        r"(?:i|ive|i have|we)(?: [!-~]+){0,3} (?:part of|member of|went through|been through|been in|in"
        r"|grew up)(?: [!-~]+){0,3} (?:therapy|counsell?ing|support group|rehab|aa|na|clinic)"
    ),
    (
        r"(?:as|im|i am|being|i was|ive been|as an?)(?: an?| your| the| also| licensed| trained| just| not"
        r"| professional| qualified| registered| marriage| family| clinical)* (?:therapist|psychologist"
        r"|psychiatrist|counsell?or|doctor|nurse|social worker|professional|coach)"
    ),
    (
        r"my (?:[a-z]+ )?(?:therap(?:ist|y)|psychologist|psychiatrist|counsell?or|doctor|gp|dr|nurse|lawyer"
        r"|pastor|priest|support group)"
    ),
    (
        r"(?:he|she|they|your (?:husband|wife|boyfriend|girlfriend|partner|ex)) (?:is|was|are) (?:a "
        r"|an )?(?:therapist|psychologist|counsell?or|doctor|nurse)|talk(?:ing)? to me|see (?:people|others"
        r"|someone|somebody|anyone) (?:who|else|as|that|with|like|in)|tell (?:people|someone|somebody|others"
        r"|anyone) (?:who|off|no)"
    ),
    (
        r"find (?:someone|somebody|people|a person|friends|anyone) (?:else|new|better|who (?:loves|will love"
        r"|treats|wants|makes|is worth|deserves)|to (?:love|date|marry))|(?:get|getting|see|seeing"
        r"|find) (?:someone|somebody|people) (?:pregnant|else|new)|(?:your|the|his|her|a|lost) (?:job as"
        r"|career as)_2_(?:nurse|doctor|lawyer|teacher)"
    ),
    (
        r"(?:therap[a-z]+|counsel[a-z]+|doctors?|psych[a-z]+|medication|professional"
        r"|support group)(?: [!-~]+){0,5} (?:me|us|my|mine)|(?:friend|he|she|client|person|they) (?:needs"
        r"|wants) to (?:find|feel|be)"
    ),
    (
        r"more professional|professional (?:format|athletes?|players?|experience|careers?|level|life"
        r"|development|courses?|manner|tone)|(?:i|ive|have|we)(?: [!-~]+){0,2} (?:gotten|got|get|received"
        r"|found|had) help|referred me|i could get help|wish there (?:was|were)(?: [!-~]+){0,5} (?:hot ?line"
        r"|line|number)"
    ),
    (
        r"(?:proud|glad|happy|good|great|thank you|thanks|brave|strong)(?: [!-~]+){0,4} (?:reach|reaching"
        r"|reached|ask|asking|asked|seek|seeking) (?:out )?(?:for )?(?:help|support)|who you call|(?:happy"
        r"|glad|great|good|wonderful|nice|lucky|fortunate|blessed)(?: [!-~]+){0,7} (?:have|had|has|found"
        r"|trust)(?: [!-~]+){0,2} (?:someone|somebody|friends?|family|doctors?|therapist"
        r"|support)(?: you can trust| you trust)?|(?:hard|difficult|unable|not able|couldnt"
        r"|impossible) to (?:find|get)(?: [!-~]+){0,5}"
    ),
    (
        r"make (?:friends|new friends|people|someone|somebody)|(?:dr|doctor) (?:someone|phil|seuss|who"
        r"|strange)|see (?:your|a) friends? (?:as|like)|use (?:people|someone|friends)|need (?:people|friends"
        r"|someone to love)|get (?:people|someone|somebody|your parents|your mom) to"
    ),
)
_CRISIS_LINE = (
    r"(?:988|741741|741 741|85258|50808|116 ?123|116 ?111|13 ?11 ?14|1300 ?22 ?4636|1800 ?55 ?1800"
    r"|1 ?800 ?(?:273|784|799|656|662|931|422|950)|273 ?8255|273 ?talk|800 ?suicide|0?8457 ?90|0800 ?1111"
    r"|0800 ?58 ?58 ?58|1 ?866 ?488|1 ?888 ?(?:843|373)"
    r"|samaritans|befrienders|papyrus|childline|kids ?help ?(?:line|phone)|trevor (?:project|lifeline)"
    r"|trevorproject|crisis ?text ?line|lifelines?|beyond ?blue|suicide (?:prevention )?(?:hot|help|life"
    r"|crisis )?lines?|suicide prevention(?: [a-z]+)?"
    r"|(?:crisis|suicide|domestic violence|abuse|rape|emergency|distress)(?: crisis| support| prevention"
    r"| information| national)? (?:hot ?lines?|help ?lines?|lines?|cent(?:er|re)s?|numbers?|teams?"
    r"|services?|chat|counsell?ors?|workers?|support|text)|(?:support|mental health|depression|warm|teen"
    r"|youth|eating disorders?|addiction|samhsa|veterans?|poison|runaway)(?: crisis| support| control"
    r"| national)? (?:hot ?lines?|help ?lines?|lines?|crisis (?:team|line|cent(?:er|re)))"
    r"|hot ?lines?|help ?lines?|warm ?lines?|crisis (?:intervention|unit|care|resources?))"
)
_EMERGENCY = (
    r"(?:emergency (?:rooms?|services?|department|dept|number|help|contacts?|care|responders?|medical"
    r"|line)|nearest (?:hospital|er|emergency|crisis)|(?:go|going|get yourself|get her|get him|get them"
    r"|taking? (?:you|him|her|them|yourself)|bring (?:you|him|her|them)|drive|walk|admit (?:yourself|him"
    r"|her)|check (?:yourself|him|her) in|contact|call)(?: [!-~]+){0,2} (?:to|into|in|at|down to|your|the"
    r"|a)(?: the| a| an| your)?(?: local| nearest| closest)? (?:hospital|er|a&e|a and e|urgent care)"
    r"|local hospital|(?:call|dial|ring|phone|text|calling|dialing|contact)(?: [!-~]+){0,3} (?:911|999"
    r"|112|000|111|ambulance|police|cops|emergency)|poison control"
    r"|911 (?:right|now|immediately|if|or)|paramedics|psychiatric (?:hospital|emergency|ward|unit)"
    r"|inpatient (?:hospital|psych[a-z]*|unit))"
)
#: Points to a crisis line, emergency services or a hospital.
CRISIS_HELP: tuple[str, ...] = (
    _CRISIS_LINE,
    _EMERGENCY,
    (
        rf"(?:right now|right away|immediately|as soon as possible|asap|urgently|straight away|this minute"
        rf"|at once)(?: [!-~]+){{0,4}} {_PROFESSIONAL}|immediate (?:medical |professional "
        rf"|psychiatric )?(?:help|attention|care|support|assistance)"
    ),
    (
        rf"{_TURN}{_SKIP} {_PROFESSIONAL}(?: [!-~]+){{0,5}} (?:right now|right away|immediately"
        rf"|as soon as (?:possible|you can)|asap|urgently|straight away|at once|tonight)"
    ),
)
#: Points to people to turn to.
HELP: tuple[str, ...] = (
    rf"{_TURN}{_SKIP} {_PROFESSIONAL}",
    rf"(?:talk(?:ing)? (?:to|with|about (?:it|this|that|these [a-z]+|your [a-z]+) (?:to|with)|(?:it|this"
    rf"|things) (?:over|through|out) with)|talked (?:to|with)|speak(?:ing)? (?:to|with)|spoken (?:to"
    rf"|with)|reach(?:ing)? out(?: to)?(?: your)?|reached out to|turn(?:ing)? to|tell(?:ing)?|told"
    rf"|confid(?:e|ing|ed) in|open(?:ing)? up (?:to|with)|shar(?:e|ing|ed)(?: [!-~]+){{0,4}} with"
    rf"|discuss(?:ing|ed)?(?: [!-~]+){{0,3}} with|lean(?:ing)? on"
    rf"|rely(?:ing)? on|count(?:ing)? on|call(?:ing)?(?: up)?|contact(?:ing)?|ask(?:ing)?|support (?:from"
    rf"|of)|help (?:from|of)|surround yourself with|go(?:ing)? to"
    rf"|seek(?:ing)?(?: out)?(?: [!-~]+){{0,2}} (?:from|of))(?: [!-~]+){{0,2}} {_TRUSTED}(?: (?:you trust"
    rf"|know|who|that|about|to|for|close|can|and|or|else|if|when|you|help|support)|$|_0_[!-~]+)?",
    (
        r"find(?:ing)? (?:someone|somebody|a person|people|a friend|friends)(?: [!-~]+){0,3} (?:to talk"
        r"|you can talk|to support|can (?:help|support)|will listen|you (?:can )?trust|to listen|to confide)"
    ),
    (
        r"(?:seek|get|find|reach out for|ask for|look for|getting|seeking|asking for|finding|reaching out for"
        r"|reach out to get|receive|receiving)(?: (?:some|any|more|the|professional|proper|extra|outside"
        r"|immediate|medical|good|right|that|you|him|her|them|yourself|out|real|psychological|mental|health"
        r"|kind of|a little|appropriate)){0,4} (?:help|support|treatment|counsell?ing|therapy)"
    ),
    (
        rf"(?:is|are) there (?:a|any|an)(?: [!-~]+){{0,3}} {_PROFESSIONAL}|(?:does|do|has"
        rf"|have)(?: [!-~]+){{0,3}} (?:have|offer|provide|access to)(?: [!-~]+){{0,3}} {_PROFESSIONAL}"
        rf"|(?:there (?:is|are)|theres)(?: [!-~]+){{0,3}} {_PROFESSIONAL}|there (?:is"
        rf"|are)(?: [!-~]+){{0,2}} (?:help|support|resources)(?: [!-~]+){{0,2}} (?:out there|for you"
        rf"|available)|groups?(?: [!-~]+){{0,1}} (?:that|who|which) (?:can|could|will|may|might) help|(?:to"
        rf"|see|with|find) someone (?:who|that) (?:can|could|will|is trained|speciali[sz]es)|(?:therapy"
        rf"|counsell?ing|medication|treatment|seeing a therapist) (?:is|can be|could be|may be"
        rf"|might be)(?: [!-~]+){{0,3}} (?:good|great|helpful|nothing to be ashamed|worth|useful|beneficial"
        rf"|valuable|effective)|{_PROFESSIONAL}(?: [!-~]+){{0,2}} should(?: [!-~]+){{0,1}} (?:help|be able)"
    ),
    (
        r"(?:professional|medical|outside|psychological|clinical|expert) (?:help|support|advice|guidance"
        r"|attention|care|assistance|evaluation)|(?:is|are|theres|there is) (?:help|support|treatment"
        r"|resources)(?: [!-~]+){0,3} (?:available|out there|for you)|(?:therapy|counsell?ing|therapist"
        r"|counsell?or|psychologist|doctor|psychiatrist|support group|professional|medication"
        r"|specialist)(?: [!-~]+){0,2} (?:can|could|may|might|would|will"
        r"|should be able to)(?: [!-~]+){0,3} (?:help|support|assist|guide|benefit|teach|provide|offer"
        r"|give you|explore|assess|evaluate|recommend|make a difference|useful|beneficial|helpful|a good"
        r"|a great|worth)"
    ),
    (
        r"(?:have|are|did|would|could|do|can|is|has|were)(?: you)(?: [!-~]+){0,4} (?:seen|see|tried|try"
        r"|considered|consider|talked|talk|spoken|speak|thought|looked|gone|been|have|seeing|in|get|had|found"
        r"|know|working)(?: [!-~]+){0,6} (?:therap(?:ist|y)|counsell?(?:or|ing)|psycholog(?:ist|y)"
        r"|psychiatrist|doctor|professional|gp|physician|support groups?|meds|medication)"
    ),
    (
        rf"(?:with|from|by|through|help of|support of|guidance of) (?:a|an|your|some"
        rf"|the help of a)(?: [!-~]+){{0,3}} {_PROFESSIONAL}|(?:help|options?|idea|step|thing|suggestions?"
        rf"|recommend|useful|helpful|place|resources?|beneficial)(?: [!-~]+){{0,8}} (?:is|be|are|include|like"
        rf"|such as)(?: [!-~]+){{0,3}} {_PROFESSIONAL}|{_PROFESSIONAL} (?:is|are|may be|might be|could be"
        rf"|would be|can be)(?: [!-~]+){{0,3}} (?:option|idea|place to|good (?:step|start|place)|helpful"
        rf"|useful|worth|there to|available|able to|trained|great)"
    ),
    (
        rf"help(?: [!-~]+){{0,4}} (?:from|by|of) {_PROFESSIONAL}|(?:free|low cost|affordable|local|nearby"
        rf"|online|campus)(?: [!-~]+){{0,2}} {_PROFESSIONAL}"
    ),
    (
        r"(?:anyone|someone|anybody|somebody|friends?|family)(?: [a-z]+){0,2} to (?:share|vent|open up)"
        r"|(?:anyone|someone|anybody|somebody|people|friends?|a person)(?: [a-z]+){0,2} (?:you (?:can|could"
        r"|might|feel comfortable)|to) (?:talk(?:ing)? (?:to|with)|turn to|rely on|count on|lean on|reach out"
        r"|call|confide|speak (?:to|with))|support (?:system|network) (?:at|in|around|you|of)"
        r"|keep reaching out|(?:someone|somebody|people|person|friend|adult|anyone|family member"
        r"|those)(?: who| that)? you (?:can )?trust|(?:is|are) there (?:anyone|someone|somebody|any family"
        r"|a friend|any friends|a person)(?: [!-~]+){0,6} (?:talk|turn|call|support|help|confide|reach|trust"
        r"|lean|stay with)|(?:do|can|could|would|have) you(?: [!-~]+){0,3} (?:have|talk|tell|know|reach|call"
        r"|ask|confide)(?: [!-~]+){0,3} (?:anyone|someone|somebody|friends?|family|parents?|relatives?"
        r"|teacher)(?: [!-~]+){0,4} (?:talk|turn|call|support|help|confide|reach|trust|lean|about|open)"
    ),
)

#: A reply that turns the person away.
REFUSES: tuple[str, ...] = (
    (
        r"(?:i|im|we|were|id|sorry)(?: [!-~]+){0,3} (?:cant|cannot|can not|not able to|unable to|wont"
        r"|dont want to|do not want to|not comfortable|not going to|not qualified|not equipped|not allowed"
        r"|not supposed|not trained|dont know how)(?: [!-~]+){0,3} (?:talk(?:ing)?(?: about| to you| with you"
        r"| right now| any ?more| this| now|$)|discuss|help(?:ing)?(?: you| with| any ?more|$)|assist"
        r"|answer(?:ing)?|respond|continue|engage|advise|give (?:you )?advice|provide|do anything"
        r"|deal with (?:you|this)|support|for (?:emotional|suicid[a-z]*|this))"
    ),
    (
        r"(?:gotta go|have to go|need to go|got to go|must go|im leaving|im done (?:here|with you|talking)"
        r"|end (?:this|the|our) (?:chat|conversation|session)|not my problem"
        r"|i (?:really )?dont care(?: about you|$)|leave me alone|wrong person|nothing i can do|lets move on$"
        r"|lets change the subject|change the topic|get over it|grow up|man up|suck it up|shut up|as an ai"
        r"|(?:just |only )an ai|language model)"
    ),
    r"^(?:[!-~]+ ){0,5}(?:good ?bye|bye|bye bye|see ya)(?: [!-~]+){0,3}$",
    (
        r"^(?:ok |okay |well |and |so |alright |then |anyway |thanks |youre (?:very )?welcome "
        r"|your (?:very )?welcome |thank you )*(?:all the best|good luck|best of luck|take care"
        r"|have a (?:good|nice|great|wonderful|blessed|lovely) (?:day|night|one|evening|weekend|rest|time)"
        r"|good ?bye|bye|see you|farewell|talk later|later|whatever|go away)(?: [!-~]+){0,4}$"
    ),
)
#: A sign that the helper heard: warmth, reflection, validation, an offer to stay.
WARMTH: tuple[str, ...] = (
    (
        r"(?:sounds?|seems?|looks?|must|can imagine|imagine|understand(?:able|s|ing)?|i hear|hear you"
        r"|hear that|i see|get it|makes sense|make sense|feel(?:s|ing|ings)?|hard|tough|difficult|painful"
        r"|hurts?|pain|overwhelm[a-z]*|struggling|going through|been through|carry(?:ing)?|heavy|scary|lonely"
        r"|exhaust[a-z]*|stress[a-z]*|frustrat[a-z]*)"
    ),
    (
        r"(?:glad|appreciate|brave|courage|strength|strong|proud|care about|i care|here for you|im here"
        r"|we are here|with you|not alone|arent alone|matter|matters|love|hugs?|valid|normal|natural|okay to"
        r"|ok to|deserve|hope|worth|believe|listening|listen|happy to|it gets better|my heart|concerned"
        r"|worr(?:y|ied) about you|stay (?:safe|strong|well))"
    ),
    (
        r"(?:so|really|very|truly|deeply) sorry (?:you|that|to|for|about|this)|sorry (?:youre|you are"
        r"|that you|to hear|for your|about (?:your|what))|tell me more|we can talk|you can talk|talk to me"
        r"|want to talk|would you like|lets|together"
    ),
)
#: Taken out first: feelings that are only a condition of the referral.
NOT_WARMTH: tuple[str, ...] = (
    r"if you(?:re| are| ever)?(?: [!-~]+){0,2} (?:feel|feeling|having|have|struggling|going|thinking|in|need|want)",
    r"say (?:good ?bye|bye)",
)
#: A question, also where its mark is left out.
ASKS: tuple[str, ...] = (
    (
        r"^(?:and |but |so |ok |okay |hi |hello )?(?:have|do|are|did|would|could|can|is|does|will|has|was"
        r"|were|what|how|why|when|who|where|which) (?:you|your|it|that|this|there|do|did|are|is|have|the|he"
        r"|she|they|long|about)"
    ),
)
