// Alerts to the controller (a secured webhook), and alerts about the controller itself.
param location string
param tags object
param host string
param apiAppObjectId string
param apiAppIdUri string
param alertEmail string
param busId string
param logsId string
param stepsQueue string

// Azure Monitor shows a token of Entra for this application; no key stands in the address.
resource toController 'Microsoft.Insights/actionGroups@2023-01-01' = if (!empty(apiAppObjectId)) {
  name: 'rollout-controller'
  location: 'global'
  tags: tags
  properties: {
    groupShortName: 'rollout'
    enabled: true
    webhookReceivers: [
      {
        name: 'controller'
        serviceUri: 'https://${host}/api/alerts'
        useAadAuth: true
        objectId: apiAppObjectId
        identifierUri: apiAppIdUri
        tenantId: subscription().tenantId
        useCommonAlertSchema: true
      }
    ]
  }
}

resource toPeople 'Microsoft.Insights/actionGroups@2023-01-01' = if (!empty(alertEmail)) {
  name: 'rollout-people'
  location: 'global'
  tags: tags
  properties: {
    groupShortName: 'rolloutppl'
    enabled: true
    emailReceivers: [{ name: 'people', emailAddress: alertEmail, useCommonAlertSchema: true }]
  }
}

var told = empty(alertEmail) ? [] : [toPeople.id]

resource deadLetters 'Microsoft.Insights/metricAlerts@2018-03-01' = {
  name: 'rollout-dead-letters'
  location: 'global'
  tags: tags
  properties: {
    description: 'A message was delivered too often. See: rollout dead-letters list'
    severity: 2
    enabled: true
    scopes: [busId]
    evaluationFrequency: 'PT5M'
    windowSize: 'PT5M'
    criteria: {
      'odata.type': 'Microsoft.Azure.Monitor.MultipleResourceMultipleMetricCriteria'
      allOf: [
        {
          criterionType: 'StaticThresholdCriterion'
          name: 'dead'
          metricNamespace: 'Microsoft.ServiceBus/namespaces'
          metricName: 'DeadletteredMessages'
          timeAggregation: 'Maximum'
          operator: 'GreaterThan'
          threshold: 0
          dimensions: [{ name: 'EntityName', operator: 'Include', values: ['*'] }]
        }
      ]
    }
    actions: [for id in told: { actionGroupId: id }]
  }
}

resource stepsWait 'Microsoft.Insights/metricAlerts@2018-03-01' = {
  name: 'rollout-steps-wait'
  location: 'global'
  tags: tags
  properties: {
    description: 'For 15 minutes the queue was never empty: nobody takes the steps. See: rollout doctor'
    severity: 1
    enabled: true
    scopes: [busId]
    evaluationFrequency: 'PT5M'
    windowSize: 'PT15M'
    criteria: {
      'odata.type': 'Microsoft.Azure.Monitor.MultipleResourceMultipleMetricCriteria'
      allOf: [
        {
          criterionType: 'StaticThresholdCriterion'
          name: 'waiting'
          metricNamespace: 'Microsoft.ServiceBus/namespaces'
          metricName: 'ActiveMessages'
          timeAggregation: 'Minimum'
          operator: 'GreaterThan'
          threshold: 0
          dimensions: [{ name: 'EntityName', operator: 'Include', values: [stepsQueue] }]
        }
      ]
    }
    actions: [for id in told: { actionGroupId: id }]
  }
}

// Each asks the controller's own telemetry; a query that finds too much, or too little, is an alert.
var questions = [
  {
    name: 'rollout-functions-fail'
    description: 'Functions end in errors. See: rollout doctor, and the traces of the failed calls'
    severity: 2
    window: 'PT15M'
    query: 'AppRequests | where Success == false and toint(ResultCode) !between (400 .. 499) | summarize found = count()'
    operator: 'GreaterThan'
    threshold: 3
  }
  {
    name: 'rollout-oldest-step-late'
    description: 'The sweep found a step that is more than five minutes late. See: rollout doctor'
    severity: 1
    window: 'PT15M'
    query: 'AppTraces | where Message startswith "sweep: " | extend late = toint(extract("the oldest by ([0-9]+) s", 1, Message)) | summarize found = max(late)'
    operator: 'GreaterThan'
    threshold: 300
  }
  {
    name: 'rollout-no-sweep'
    description: 'The timer has not run for 15 minutes: what gets lost is not sent again. See: rollout doctor'
    severity: 1
    window: 'PT15M'
    query: 'AppRequests | where Name endswith "sweep" and Success == true | summarize found = count()'
    operator: 'LessThan'
    threshold: 1
  }
]

resource answers 'Microsoft.Insights/scheduledQueryRules@2021-08-01' = [
  for question in questions: {
    name: question.name
    location: location
    tags: tags
    properties: {
      description: question.description
      severity: question.severity
      enabled: true
      scopes: [logsId]
      evaluationFrequency: 'PT5M'
      windowSize: question.window
      criteria: {
        allOf: [
          {
            query: question.query
            timeAggregation: 'Maximum'
            metricMeasureColumn: 'found'
            operator: question.operator
            threshold: question.threshold
            failingPeriods: { numberOfEvaluationPeriods: 1, minFailingPeriodsToAlert: 1 }
          }
        ]
      }
      autoMitigate: true
      actions: { actionGroups: told }
    }
  }
]

output actionGroupId string = empty(apiAppObjectId) ? '' : toController.id
