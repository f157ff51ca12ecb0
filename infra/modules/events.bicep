// What happens in the workspace and is worth a look, from Event Grid to the queue `events`.
// Azure allows one system topic for each source: where there is one, it is given by its name.
param workspaceName string
param workspaceTopicName string
param groupTopicName string
param suffix string
param senderId string
param queueId string
param storageId string
param deadLetterContainer string

var delivery = {
  identity: { type: 'UserAssigned', userAssignedIdentity: senderId }
  destination: {
    endpointType: 'ServiceBusQueue'
    properties: { resourceId: queueId }
  }
}
var deadLetters = {
  identity: { type: 'UserAssigned', userAssignedIdentity: senderId }
  deadLetterDestination: {
    endpointType: 'StorageBlob'
    properties: { resourceId: storageId, blobContainerName: deadLetterContainer }
  }
}
var retries = { maxDeliveryAttempts: 30, eventTimeToLiveInMinutes: 1440 }
var topicIdentity = { type: 'UserAssigned', userAssignedIdentities: { '${senderId}': {} } }

resource workspace 'Microsoft.MachineLearningServices/workspaces@2024-10-01' existing = {
  name: workspaceName
}

resource models 'Microsoft.EventGrid/systemTopics@2022-06-15' = {
  name: workspaceTopicName
  location: workspace.location
  identity: topicIdentity
  properties: {
    source: workspace.id
    topicType: 'Microsoft.MachineLearningServices.Workspaces'
  }
}

resource modelRegistered 'Microsoft.EventGrid/systemTopics/eventSubscriptions@2022-06-15' = {
  parent: models
  name: 'rollout-${suffix}'
  properties: {
    deliveryWithResourceIdentity: delivery
    deadLetterWithResourceIdentity: deadLetters
    retryPolicy: retries
    eventDeliverySchema: 'EventGridSchema'
    filter: {
      includedEventTypes: ['Microsoft.MachineLearningServices.ModelRegistered']
    }
  }
}

// Of deployments the workspace itself tells nothing; Resource Manager tells of each write.
resource changes 'Microsoft.EventGrid/systemTopics@2022-06-15' = {
  name: groupTopicName
  location: 'global'
  identity: topicIdentity
  properties: {
    source: resourceGroup().id
    topicType: 'Microsoft.Resources.ResourceGroups'
  }
}

resource deploymentWritten 'Microsoft.EventGrid/systemTopics/eventSubscriptions@2022-06-15' = {
  parent: changes
  name: 'rollout-${suffix}'
  properties: {
    deliveryWithResourceIdentity: delivery
    deadLetterWithResourceIdentity: deadLetters
    retryPolicy: retries
    eventDeliverySchema: 'EventGridSchema'
    filter: {
      includedEventTypes: ['Microsoft.Resources.ResourceWriteSuccess']
      subjectBeginsWith: '${workspace.id}/onlineEndpoints/'
      isSubjectCaseSensitive: false
      advancedFilters: [
        {
          operatorType: 'StringIn'
          key: 'data.operationName'
          values: ['Microsoft.MachineLearningServices/workspaces/onlineEndpoints/deployments/write']
        }
      ]
    }
  }
}
